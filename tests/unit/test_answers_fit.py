"""Every answer fits into the 4 MiB that a client takes unless it says otherwise, at its largest, in any script."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from sagakit.errors import InvalidArgument
from sagakit.rpc.paging import one_page
from sagakit.rpc.statuses import status_of
from sagakit.rpc.validation import check

CLIENTS_LIMIT = 4 * 1024 * 1024
LONGEST_TEXT = 1000
"""In characters: what the protos promise of any text in an answer, or more."""
BOMB = "\U0001f4a5"
"""Four bytes."""
MOST_ENTRIES = 1000
MOST_ORDERS = 500


def largest(kind: Descriptor) -> Message:
    """Return a message with the longest texts and numbers everywhere, and three entries in each of its lists."""
    if kind is Timestamp.DESCRIPTOR:
        return Timestamp(seconds=253_402_300_799, nanos=999_999_999)
    message = GetMessageClass(kind)()
    for field in kind.fields:
        value = largest_value(field)
        if field.is_repeated:
            getattr(message, field.name).extend([value] * 3)
        elif isinstance(value, Message):
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def largest_value(field: FieldDescriptor) -> Any:
    if field.message_type:
        return largest(field.message_type)
    if field.enum_type:
        return max(field.enum_type.values_by_number)
    by_type = {field.TYPE_STRING: BOMB * LONGEST_TEXT, field.TYPE_BOOL: True, field.TYPE_INT32: 2**31 - 1}
    return by_type.get(field.type, 2**63 - 1)


def lists() -> Iterator[tuple[Descriptor, FieldDescriptor]]:
    """Yield each answer that is a list, with the field of its entries."""
    for proto in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2):
        for service in proto.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for field in method.output_type.fields:
                    if field.is_repeated and field.message_type:
                        yield method.output_type, field


NOT_PAGED = {"CreateOrdersResponse", "GetSagaDeclarationResponse"}
"""The first is measured below; the other is as long as the declaration, which stands in the code."""
LISTS = {answer.name: (answer, field) for answer, field in lists()}


def test_these_are_all() -> None:
    assert set(LISTS) == {
        "ListOrdersResponse",
        "ListProductsResponse",
        "ListMovementsResponse",
        "ListDeliveriesResponse",
        "ListSagasResponse",
        "GetSagaResponse",
        "RetrySagasResponse",
        "CancelSagasResponse",
        "CreateOrdersResponse",
        "CountSagasResponse",
        "GetSagaDeclarationResponse",
    }


@pytest.mark.parametrize("name", sorted(LISTS.keys() - NOT_PAGED))
def test_a_page_of_the_longest_entries_fits(name: str) -> None:
    answer, field = LISTS[name]
    assert field.message_type is not None
    page, more = one_page(repeat(largest(field.message_type), MOST_ENTRIES + 1), MOST_ENTRIES)
    whole = largest(answer)
    whole.ClearField(field.name)
    getattr(whole, field.name).extend(page)
    assert more
    assert whole.ByteSize() < CLIENTS_LIMIT


def test_an_entry_that_is_larger_than_a_page_has_a_page_of_its_own() -> None:
    huge, small = product_pb2.Product(name="x" * CLIENTS_LIMIT), product_pb2.Product(name="y")
    assert one_page([huge, small], 10) == ([huge], True)
    assert one_page([small, huge], 10) == ([small], True)
    assert one_page([small, small], 10) == ([small, small], False)
    assert one_page([small, small], 1) == ([small], True)
    assert one_page([], 1) == ([], False)


def test_the_answer_to_the_longest_list_of_orders_fits() -> None:
    stored = order_pb2.CreateOrderResult(order=largest(order_pb2.Order.DESCRIPTOR))  # type: ignore[arg-type] # it is one
    stored.order.address = BOMB * 500
    everything_wrong = order_pb2.CreateOrderRequest(price=-1, address="\0" + BOMB * 500, request_id="no")
    with pytest.raises(InvalidArgument) as caught:
        check(everything_wrong)
    refused = order_pb2.CreateOrderResult(error=status_of(caught.value, "ordersaga")[1])
    for result in (stored, refused):
        assert order_pb2.CreateOrdersResponse(results=[result] * MOST_ORDERS).ByteSize() < CLIENTS_LIMIT
