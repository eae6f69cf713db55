"""The Python classes that are generated from Avro records."""

import importlib.util
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import fastavro
import pytest

from tools.avro_classes import write

PARCEL = {
    "type": "record",
    "name": "ParcelSent",
    "namespace": "ordersaga.messages",
    "doc": 'A parcel left the "house"',
    "fields": [
        {"name": "order_id", "type": "long", "doc": "Whose \\ which."},
        {"name": "fragile", "type": "boolean", "doc": "Whether.", "default": False},
        {"name": "weight", "type": "double", "doc": "Kilograms. " * 20},
        {"name": "note", "type": ["null", "string"], "doc": 'Free "text"', "default": None},
        {"name": "sent_time", "type": {"type": "long", "logicalType": "timestamp-micros"}, "doc": "When."},
        {
            "name": "kind",
            "type": {"type": "enum", "name": "Kind", "symbols": ["BOX", "BAG"], "default": "BOX"},
            "doc": "How it is packed.",
        },
    ],
}
LIMITS = """
ParcelSent:
  order_id: {gte: 1}
  weight: {gte: 0, lte: 31.5}
  note: {max_len: 5, pattern: '^[a-z]*$'}
  sent_time: {gte: 2000-01-01T00:00:00Z}
"""
SENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def generate(root: Path, schema: dict[str, Any], limits: str = LIMITS) -> Path:
    (root / "limits.yaml").write_text(limits)
    (root / "parcel-sent").mkdir(exist_ok=True)
    (root / "parcel-sent" / "ParcelSent.avsc").write_text(json.dumps(schema))
    (root / "topics.yaml").write_text("topics: {parcel-sent: {key: order_id}}")
    write(root, root / "out")
    return root / "out"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("parcel_sent", generate(tmp_path, PARCEL) / "parcel_sent.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "parcel_sent", made)
    spec.loader.exec_module(made)
    return made


def test_a_record_survives_the_way_through_avro(module: ModuleType) -> None:
    parcel = module.ParcelSent(order_id=7, weight=1.5, sent_time=SENT, kind="BAG")
    schema = fastavro.parse_schema(json.loads(parcel.SCHEMA))
    wire = io.BytesIO()
    fastavro.schemaless_writer(wire, schema, parcel.to_avro())
    wire.seek(0)
    assert module.ParcelSent.from_avro(fastavro.schemaless_reader(wire, schema)) == parcel
    assert (parcel.key, parcel.fragile, parcel.note, parcel.sent_time) == (7, False, None, SENT)


def test_a_record_knows_its_place(module: ModuleType) -> None:
    assert module.ParcelSent.TOPIC == "parcel-sent"
    assert module.ParcelSent.FULL_NAME == "ordersaga.messages.ParcelSent"
    assert json.loads(module.ParcelSent.SCHEMA) == PARCEL
    assert module.ParcelSent.__doc__ == 'A parcel left the "house"'


def test_a_record_is_frozen_and_takes_no_positions(module: ModuleType) -> None:
    parcel = module.ParcelSent(order_id=7, weight=1.5, sent_time=SENT, kind="BAG")
    with pytest.raises(AttributeError):
        parcel.order_id = 8
    with pytest.raises(TypeError):
        module.ParcelSent(7, 1.5, SENT, "BAG")


def test_the_types_are_written_out(tmp_path: Path) -> None:
    text = (generate(tmp_path, PARCEL) / "parcel_sent.py").read_text()
    for line in (
        "    order_id: int\n",
        "    fragile: bool = False\n",
        "    weight: float\n",
        "    note: str | None = None\n",
        "    sent_time: datetime\n",
        "    kind: Literal['BOX', 'BAG']\n",
    ):
        assert line in text


def test_the_package_exports_every_record(tmp_path: Path) -> None:
    text = (generate(tmp_path, PARCEL) / "__init__.py").read_text()
    assert "from ordersaga.messages.parcel_sent import ParcelSent\n" in text
    assert "RECORDS = (\n    ParcelSent,\n)" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"order_id": 0}, "order_id is outside its limits: gte 1"),
        ({"order_id": -(2**63)}, "order_id is outside its limits: gte 1"),
        ({"weight": 31.5}, None),
        ({"weight": 31.6}, "weight is outside its limits: gte 0, lte 31.5"),
        ({"weight": float("nan")}, "weight is outside its limits: gte 0, lte 31.5"),
        ({"note": None}, None),
        ({"note": "abcde"}, None),
        ({"note": "abcdef"}, "note is outside its limits: max_len 5, pattern ^[a-z]*$"),
        ({"note": "abc\n"}, "note is outside its limits: max_len 5, pattern ^[a-z]*$"),
        (
            {"sent_time": datetime(1999, 12, 31, tzinfo=UTC)},
            "sent_time is outside its limits: gte 2000-01-01 00:00:00+00:00",
        ),
    ],
    ids=str,
)
def test_a_record_says_what_is_outside_its_limits(
    module: ModuleType, changed: dict[str, Any], said: str | None
) -> None:
    within = {"order_id": 1, "weight": 1.5, "sent_time": SENT, "kind": "BAG"}
    assert module.ParcelSent(**{**within, **changed}).out_of_range() == said


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{}", "the field order_id needs limits"),
        ("{ParcelSent: {order_id: {gte: 1}, colour: {max_len: 1}}}", "there is no field colour"),
        ("{ParcelSent: {order_id: {max_len: 1}}}", "the field order_id needs limits, of gte, lte"),
        ("{ParcelSent: {order_id: {gte: 1}, fragile: {gte: 1}}}", "the field fragile can have no limits"),
        ("{ParcelGone: {order_id: {gte: 1}}}", "there is no record ParcelGone"),
    ],
    ids=["none", "unknown field", "of another type", "of a boolean", "unknown record"],
)
def test_a_field_without_limits_or_limits_without_a_field_are_refused(tmp_path: Path, limits: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"limits\.yaml: .*{said}"):
        generate(tmp_path, PARCEL, limits)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"type": {"type": "array", "items": "long"}}, "knows no Python type"),
        ({"type": {"type": "int", "logicalType": "date"}}, "knows no Python type"),
        ({"type": {"type": "long", "logicalType": "timestamp-micros"}, "default": 0}, "no default but null"),
        ({"type": "bytes", "default": ""}, "no default but null"),
    ],
    ids=["array", "date", "time with default", "bytes with default"],
)
def test_what_the_generator_cannot_say_is_refused_by_name(tmp_path: Path, bad: dict[str, Any], said: str) -> None:
    schema = {**PARCEL, "fields": [{"name": "order_id", "type": "long", "doc": "…"}, {"name": "x", "doc": "…", **bad}]}
    with pytest.raises(ValueError, match=rf"ParcelSent\.avsc: field x: .*{said}"):
        generate(tmp_path, schema)


def test_a_default_that_no_reader_would_take_is_refused(tmp_path: Path) -> None:
    note = {"name": "note", "type": "string", "doc": "…", "default": "NO"}
    schema = {**PARCEL, "fields": [{"name": "order_id", "type": "long", "doc": "…"}, note]}
    with pytest.raises(ValueError, match="the default of the field note is outside its limits"):
        generate(tmp_path, schema, "ParcelSent: {order_id: {gte: 1}, note: {max_len: 5, pattern: '^[a-z]*$'}}")
