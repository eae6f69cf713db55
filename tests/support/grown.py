"""Contracts that have grown: the record types of a later version, made by the project's own generator."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from ordersaga.messages import RECORDS

from sagakit.records import Record
from tools import avro_classes
from tools.paths import SCHEMAS

Contracts = Mapping[str, type[Record]]
"""The record types of one version, by full name."""
CONTRACTS: Contracts = {record.FULL_NAME: record for record in RECORDS}
"""This version's."""


def grown(
    folder: Path, names: Collection[str], field: Mapping[str, Any], limits: Mapping[str, Any] | None
) -> Contracts:
    """Return the record types of a version whose records ``names`` have one ``field`` more, with its ``limits``."""
    shutil.copytree(SCHEMAS, folder / "schemas")
    limited = yaml.safe_load((SCHEMAS / "limits.yaml").read_text())
    paths = [path for path in (folder / "schemas").rglob("*.avsc") if path.stem in names]
    for path in paths:
        schema = json.loads(path.read_text())
        schema["fields"].append({**field, "doc": "What a later version has to say."})
        path.write_text(json.dumps(schema))
        if limits:
            limited[path.stem] = {**limited[path.stem], field["name"]: dict(limits)}
    (folder / "schemas" / "limits.yaml").write_text(yaml.safe_dump(limited))
    avro_classes.write(folder / "schemas", folder / "out")
    found = {path.stem: _load(folder / "out" / f"{path.parent.name.replace('-', '_')}.py", path.stem) for path in paths}
    return {name: found.get(record.__name__, record) for name, record in CONTRACTS.items()}


def _load(path: Path, name: str) -> type[Record]:
    spec = importlib.util.spec_from_file_location(f"grown_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return cast("type[Record]", getattr(module, name))


def converter(contracts: Contracts, name: str, value: object) -> Callable[[Record], Record]:
    """Return a function that makes a record one of ``contracts``, with ``value`` in the new field ``name``, if any."""

    def convert(record: Record) -> Record:
        record_type = contracts[record.FULL_NAME]
        known = {field["name"] for field in json.loads(record_type.SCHEMA)["fields"]}
        content = {name: value, **record.to_avro()}
        return record_type.from_avro({one: content[one] for one in content.keys() & known})

    return convert
