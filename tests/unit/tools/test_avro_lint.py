"""What the Avro contracts must look like."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.avro_lint import problems
from tools.paths import SCHEMAS

TOPICS = "topics:\n  parcel-sent:\n    key: order_id\n"


def parcel() -> dict[str, Any]:
    return {
        "type": "record",
        "name": "ParcelSent",
        "namespace": "ordersaga.messages",
        "doc": "A parcel left.",
        "fields": [{"name": "order_id", "type": "long", "doc": "Whose."}],
    }


def folder(root: Path, schema: dict[str, Any], name: str = "parcel-sent/ParcelSent.avsc", topics: str = TOPICS) -> Path:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(json.dumps(schema))
    (root / "topics.yaml").write_text(topics)
    return root


def test_our_own_contracts_are_in_order() -> None:
    assert list(problems(SCHEMAS)) == []


def test_a_record_as_it_should_be_passes(tmp_path: Path) -> None:
    assert list(problems(folder(tmp_path, parcel()))) == []


def add(kind: object, **rest: object) -> Callable[[dict[str, Any]], object]:
    return lambda s: s["fields"].append({"name": "x", "type": kind, "doc": "…", **rest})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("doc"), "the record has no doc"),
        (lambda s: s["fields"][0].update(doc=" "), "field order_id: it has no doc"),
        (lambda s: s.update(name="ParcelLeft"), "the record is called ParcelLeft, the file is not"),
        (lambda s: s.update(namespace="elsewhere"), "the namespace is ordersaga.messages"),
        (lambda s: s.update(type="enum"), "the file holds a record, nothing else"),
        (
            lambda s: s["fields"][0].update(type="string"),
            "field order_id: the topic's key must be a field of type long",
        ),
        pytest.param(
            lambda s: s["fields"].clear(),
            "field order_id: the topic's key must be a field of type long",
            id="no fields",
        ),
        (add("int", name="sizeInCm"), "field sizeInCm: a field's name is snake_case"),
        (add(["null", {"type": "enum", "name": "Kind", "symbols": ["A"]}]), "field x: enum Kind has no default"),
        (add({"type": "int", "logicalType": "date"}), "field x: date of int is not in use here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    schema = parcel()
    change(schema)
    (line,) = problems(folder(tmp_path, schema))
    assert line.startswith(f"parcel-sent/ParcelSent.avsc: {said}")


def test_a_folder_that_is_no_topic_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, parcel())
    assert list(problems(folder(tmp_path, parcel(), "lost/ParcelSent.avsc"))) == [
        "lost/ParcelSent.avsc: lost is not a topic of topics.yaml"
    ]


def test_a_topic_without_a_record_and_a_record_on_two_topics_are_refused(tmp_path: Path) -> None:
    topics = TOPICS + "  parcel-lost:\n    key: order_id\n  parcel-found:\n    key: order_id\n"
    folder(tmp_path, parcel())
    found = list(problems(folder(tmp_path, parcel(), "parcel-lost/ParcelSent.avsc", topics)))
    assert found == [
        "topics.yaml: topic parcel-found: the folder parcel-found/ holds no record",
        "parcel-sent/ParcelSent.avsc: parcel-lost/ParcelSent.avsc has the same name; a record belongs on one topic",
    ]


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    folder(tmp_path, parcel())
    (tmp_path / "parcel-sent" / "ParcelSent.avsc").write_text("{")
    (line,) = problems(tmp_path)
    assert line.startswith("parcel-sent/ParcelSent.avsc: not JSON")
