"""Check the Avro contracts as they stand: names, docs, keys and defaults."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.schemas import NAMESPACE, read_topics

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PASCAL = re.compile(r"([A-Z][a-z0-9]+)+")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def problems(schemas: Path) -> Iterator[str]:
    """Yield a line for everything that is wrong in the folder ``schemas``."""
    topics = read_topics(schemas)
    seen: dict[str, Path] = {}
    for topic in topics:
        if not KEBAB.fullmatch(topic):
            yield f"topics.yaml: topic {topic}: a topic's name is kebab-case"
        if not any((schemas / topic).glob("*.avsc")):
            yield f"topics.yaml: topic {topic}: the folder {topic}/ holds no record"
    for path in sorted(schemas.rglob("*.avsc")):
        where = path.relative_to(schemas).as_posix()
        topic = path.parent.relative_to(schemas).as_posix()
        if topic not in topics:
            yield f"{where}: {topic} is not a topic of topics.yaml"
            continue
        if path.stem in seen:
            yield f"{where}: {seen[path.stem].as_posix()} has the same name; a record belongs on one topic"
        seen[path.stem] = path.relative_to(schemas)
        yield from (f"{where}: {problem}" for problem in _record(path, topics[topic].get("key")))


def _record(path: Path, key: str | None) -> Iterator[str]:
    try:
        schema = json.loads(path.read_text())
    except ValueError as error:
        yield f"not JSON: {error}"
        return
    if schema.get("type") != "record":
        yield "the file holds a record, nothing else"
        return
    if schema.get("name") != path.stem:
        yield f"the record is called {schema.get('name')}, the file is not"
    if not PASCAL.fullmatch(path.stem):
        yield "a record's name is PascalCase"
    if schema.get("namespace") != NAMESPACE:
        yield f"the namespace is {NAMESPACE}"
    if not _has_doc(schema):
        yield "the record has no doc"
    fields = schema.get("fields", [])
    for field in fields:
        yield from (f"field {field.get('name')}: {problem}" for problem in _field(field))
    if not any(field.get("name") == key and field.get("type") == "long" for field in fields):
        yield f"field {key}: the topic's key must be a field of type long"


def _field(field: dict[str, Any]) -> Iterator[str]:
    if not SNAKE.fullmatch(field.get("name", "")):
        yield "a field's name is snake_case"
    if not _has_doc(field):
        yield "it has no doc"
    yield from _type(field.get("type"))


def _type(schema: Any) -> Iterator[str]:
    match schema:
        case [*branches]:
            for branch in branches:
                yield from _type(branch)
        case {"type": "enum", **enum} if "default" not in enum:
            yield f"enum {enum.get('name')} has no default, so a new symbol would break every reader"
        case {"logicalType": logical, **rest} if (rest.get("type"), logical) != ("long", "timestamp-micros"):
            yield f"{logical} of {rest.get('type')} is not in use here; times are timestamp-micros of long"


def _has_doc(schema: dict[str, Any]) -> bool:
    return bool(str(schema.get("doc", "")).strip())
