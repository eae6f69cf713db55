"""The records' limits: those of the API, and such that what the API accepts fits through every topic on its way."""

import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import fastavro
import pytest
import yaml
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from ordersaga.messages import RECORDS, OrderCancelRequested
from ordersaga.order.v1.order_pb2 import CancelOrderRequest, CreateOrderRequest

from sagakit.avro.codec import LARGEST_VALUE
from sagakit.messages import Message, Outgoing
from sagakit.records import Record
from sagakit.trace_context import new_trace
from tools.limits import read_limits
from tools.paths import SCHEMAS

LIMITS = read_limits(SCHEMAS)
TOPICS = yaml.safe_load((SCHEMAS / "topics.yaml").read_text())
ORDERED = {"user_id", "product_id", "quantity", "price", "address"}
"""What an order's records have from who ordered."""
ASKED = {"order_id", "actor", "reason"}
"""What a cancel's record has from who asked."""
LONGEST_ID = "m" * 100
"""As long as a message's id may be to be carried on."""
RECORD_OVERHEAD = 200
"""More than Kafka adds to a message that is alone in its batch, beside its key, value and headers."""
HEADER_OVERHEAD = 20
ADDED_BY_PARKING = 5_000
"""More than parking adds: the source, the reason and up to 1,000 characters of an error."""


def rules(field: FieldDescriptor) -> dict[str, Any]:
    """Return a request's field's rules, in the words of ``limits.yaml``."""
    given = field.GetOptions().Extensions[validate_pb2.field]
    found = {rule.name: value for rule, value in getattr(given, given.WhichOneof("type") or "").ListFields()}
    if "gt" in found:
        found["gte"] = found.pop("gt") + 1
    return found


def fields_from_the_api() -> Iterator[tuple[str, str, FieldDescriptor]]:
    for record in RECORDS:
        cancel = record is OrderCancelRequested
        for name in LIMITS[record.__name__]:
            if cancel and name in ASKED:
                yield record.__name__, name, CancelOrderRequest.DESCRIPTOR.fields_by_name[name]
            elif name in ORDERED:
                yield record.__name__, name, CreateOrderRequest.DESCRIPTOR.fields_by_name[name]


def shown(part: str | FieldDescriptor) -> str:
    """Return what stands for a part of a test's parameters in its name: the same in every process."""
    return part if isinstance(part, str) else part.full_name


@pytest.mark.parametrize(("record", "name", "field"), list(fields_from_the_api()), ids=shown)
def test_what_comes_from_a_caller_has_the_limits_of_the_api(record: str, name: str, field: FieldDescriptor) -> None:
    assert LIMITS[record][name] == rules(field)


def largest(record: type[Record]) -> Record:
    """Return the record with the most bytes that its limits allow."""
    limits = LIMITS[record.__name__]
    fields = json.loads(record.SCHEMA)["fields"]
    return record.from_avro({field["name"]: _largest(limits.get(field["name"], {})) for field in fields})


def _largest(limits: Mapping[str, Any]) -> Any:
    if "max_len" in limits:
        return ("A" if "A-Z" in limits["pattern"] else "\N{FACE WITH TEARS OF JOY}") * limits["max_len"]
    if "pattern" in limits:
        return str(UUID(int=2**128 - 1))
    highest = limits.get("lte", 2**63 - 1)
    return highest if limits else True


def value_of(record: Record) -> bytes:
    out = io.BytesIO(b"\0" * 5)
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(record.SCHEMA)), record.to_avro())
    return out.getvalue()


def size_of(record: Record) -> int:
    """Return at least as many bytes as ``record`` has on its topic, at its longest headers."""
    trace = new_trace()._replace(state="x" * 512)
    cause = Message(record, record.TOPIC, 0, 2**62, LONGEST_ID, trace)
    given = Outgoing(record, cause).headers(trace)
    headers = sum(len(name) + len(value or b"") + HEADER_OVERHEAD for name, value in given)
    return len(str(record.key)) + len(value_of(record)) + headers + RECORD_OVERHEAD


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_the_largest_record_fits_through_its_topic_and_is_read_and_parked(record: type[Record]) -> None:
    biggest = largest(record)
    assert biggest.out_of_range() is None
    assert size_of(biggest) < TOPICS["topics"][record.TOPIC]["max_message_bytes"] // 100
    assert size_of(biggest) + ADDED_BY_PARKING < TOPICS["dead_letters"]["max_message_bytes"] // 100
    assert len(value_of(biggest)) < LARGEST_VALUE // 10


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_the_largest_record_is_the_largest(record: type[Record]) -> None:
    """Each text is as long as may be: one more character is out of range."""
    biggest = largest(record)
    for name, limits in LIMITS[record.__name__].items():
        if "max_len" in limits:
            longer = record.from_avro({**biggest.to_avro(), name: biggest.to_avro()[name] + "A"})  # type: ignore[operator]
            assert (
                longer.out_of_range()
                == f"{name} is outside its limits: max_len {limits['max_len']}, pattern {limits['pattern']}"
            )
        elif isinstance(limits.get("lte"), datetime | int):
            assert biggest.to_avro()[name] == limits["lte"]
