"""Read ``schemas/``: the Avro records, and the topics that they belong on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "ordersaga.messages"


@dataclass(frozen=True, slots=True)
class Record:
    """One record type, as its file declares it. Whether it is a good declaration is the lint's affair."""

    path: Path
    topic: str
    key: str
    schema: dict[str, Any]

    @property
    def name(self) -> str:
        """The record's name without its namespace."""
        return str(self.schema["name"])

    @property
    def full_name(self) -> str:
        """The record's name as Avro knows it."""
        return f"{self.schema['namespace']}.{self.name}"

    @property
    def fields(self) -> list[dict[str, Any]]:
        """The fields in their order."""
        return list(self.schema["fields"])


def read_topics(schemas: Path) -> dict[str, Mapping[str, Any]]:
    """Return the settings of each topic in ``topics.yaml``, by name."""
    return dict(yaml.safe_load((schemas / "topics.yaml").read_text())["topics"])


def read_records(schemas: Path) -> list[Record]:
    """Return every record of the topics in ``topics.yaml``, by topic and name."""
    return [
        Record(path, topic, settings["key"], json.loads(path.read_text()))
        for topic, settings in sorted(read_topics(schemas).items())
        for path in sorted((schemas / topic).glob("*.avsc"))
    ]
