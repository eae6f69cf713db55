"""Requests that nobody should send, made by hypothesis from the descriptors of the services' own contracts."""

from collections.abc import Iterator
from dataclasses import dataclass

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

API: dict[str, ServiceDescriptor] = {
    "order_svc": order_pb2.DESCRIPTOR.services_by_name["OrderService"],
    "product_svc": product_pb2.DESCRIPTOR.services_by_name["ProductService"],
    "delivery_svc": delivery_pb2.DESCRIPTOR.services_by_name["DeliveryService"],
    "orchestrator_svc": orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"],
}
_DEEPEST = 3
_LARGE = 100_000
_LARGEST = 1_000_000
"""Bytes of a message whose items are many; beyond it a service would not even read it."""
_STRINGS = [
    "",
    "\0",
    "a\0b",
    "\x1b[31m",
    "'; DROP TABLE orders; --",
    "%s %(x)s {} {0.__class__} ${jndi:ldap://x}",
    "\u202eright to left",
    "\U0001f4a5" * 200,
    "\ufffe\uffff",
    "(a+)+$",
    "../../etc/passwd",
    "null",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "9" * 400,
    "x" * 1_001,
    "x" * _LARGE,
]
_INTEGERS = [0, -1, 1, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]


@dataclass(frozen=True)
class Request:
    """The bytes of a request, and what they were made from, for whoever reads a failing example."""

    body: bytes
    story: str

    def __repr__(self) -> str:
        """Show the calls, and the bytes where they are few."""
        return f"{self.story[:1_000]} <{len(self.body)} bytes: {self.body[:80].hex()}>"


def methods() -> Iterator[tuple[str, MethodDescriptor]]:
    """Return every method of every service."""
    for service, api in API.items():
        for method in api.methods:
            yield service, method


def broken_fields(wanted: Descriptor, body: bytes) -> set[str] | None:
    """Return the fields with which ``body`` breaks the rules of its contract; None where it is no such message."""
    try:
        message = GetMessageClass(wanted).FromString(body)
    except DecodeError:
        return None
    found = [violation.proto.field for violation in protovalidate.collect_violations(message)]
    return {".".join(element.field_name for element in path.elements) if path else "" for path in found}


def requests(wanted: Descriptor) -> st.SearchStrategy[Request]:
    """Return requests of the type ``wanted`` with odd fields, and bytes that are none or only nearly one."""
    odd = messages(wanted).map(_request_of)
    broken = st.one_of(
        st.binary(max_size=200).map(lambda body: Request(body, "random bytes")),
        st.tuples(odd, st.integers(0, 200)).map(lambda pair: Request(pair[0].body[: pair[1]], f"cut {pair[0].story}")),
        st.tuples(odd, st.integers(0, 10_000), st.integers(1, 255)).map(_flipped),
        odd.map(lambda one: Request(one.body + b"\xfa\x3f\x03abc\xf8\x3f\x01", f"unknown fields {one.story}")),
        odd.map(lambda one: Request(one.body + b"\x0a\x04\xff\xfe\xc3\x28", f"no UTF-8 {one.story}")),
    )
    return st.one_of(odd, odd, broken)


@st.composite
def messages(draw: st.DrawFn, wanted: Descriptor, depth: int = 0) -> Message:
    """Return messages of the type ``wanted`` whose fields are at the edge of their types, or beyond the rules."""
    message = GetMessageClass(wanted)()
    for field in wanted.fields:
        if not draw(st.booleans()):
            continue
        if field.is_repeated:
            values = draw(st.lists(_values(field, depth), max_size=4))
            many = draw(st.sampled_from([1, 1, 1, 500]))
            getattr(message, field.name).extend(values)
            if message.ByteSize() * many <= _LARGEST:
                getattr(message, field.name).extend(values * (many - 1))
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(draw(_values(field, depth)))
        else:
            setattr(message, field.name, draw(_values(field, depth)))
    return message


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[object]:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        assert field.message_type is not None
        return messages(field.message_type, depth + 1) if depth < _DEEPEST else st.builds(_empty(field.message_type))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return st.sampled_from([0, 1, 2, 3, 99, -1, 2**31 - 1, -(2**31)])
    return {
        FieldDescriptor.TYPE_STRING: st.one_of(st.sampled_from(_STRINGS), st.text(max_size=60)),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=60),
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_INT64: _integers(64),
        FieldDescriptor.TYPE_INT32: _integers(32),
    }[field.type]


def _integers(bits: int) -> st.SearchStrategy[int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    edges = [number for number in _INTEGERS if low <= number <= high]
    return st.one_of(st.sampled_from(edges), st.integers(low, high))


def _empty(wanted: Descriptor) -> type[Message]:
    return GetMessageClass(wanted)


def _request_of(message: Message) -> Request:
    return Request(message.SerializeToString(), f"{message.DESCRIPTOR.name} {str(message)[:800]!r}")


def _flipped(made: tuple[Request, int, int]) -> Request:
    request, at, mask = made
    body = bytearray(request.body or b"\0")
    body[at % len(body)] ^= mask
    return Request(bytes(body), f"flipped {request.story}")
