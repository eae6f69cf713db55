"""What stands in ``gen/``, used as a client would use it."""

import re
import tomllib
import uuid

import protovalidate
from ordersaga.messages import RECORDS
from ordersaga.order.v1 import order_pb2

from tools.paths import GEN, SCHEMAS
from tools.schemas import read_records


def test_the_constraints_of_a_proto_file_hold_for_its_generated_messages() -> None:
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=0)
    (violation,) = protovalidate.collect_violations(request)
    assert violation.proto.field is not None
    assert violation.proto.field.elements[0].field_name == "quantity"


def test_an_order_of_a_list_may_break_a_rule_without_the_list_breaking_one() -> None:
    orders = [order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=quantity) for quantity in (0, 1)]
    assert protovalidate.collect_violations(order_pb2.CreateOrdersRequest(orders=orders)) == []


def test_the_longest_list_of_the_longest_orders_is_no_larger_than_a_message_may_be() -> None:
    longest = order_pb2.CreateOrderRequest(
        user_id=2**63 - 1,
        product_id=2**63 - 1,
        quantity=1_000_000,
        price=10**12,
        address="\U0001f4a5" * 500,
        request_id=str(uuid.uuid4()),
    )
    assert protovalidate.collect_violations(longest) == []
    assert order_pb2.CreateOrdersRequest(orders=[longest] * 500).ByteSize() < 1_048_576


def test_every_record_of_the_contracts_is_there() -> None:
    assert {record.FULL_NAME for record in RECORDS} == {record.full_name for record in read_records(SCHEMAS)}


def test_the_wheel_asks_for_libraries_that_take_its_generated_code() -> None:
    dependencies = tomllib.loads((GEN / "pyproject.toml").read_text())["project"]["dependencies"]
    messages = (GEN / "ordersaga" / "order" / "v1" / "order_pb2.py").read_text()
    stubs = (GEN / "ordersaga" / "order" / "v1" / "order_pb2_grpc.py").read_text()
    protobuf = re.search(r"^# Protobuf Python Version: (\S+)$", messages, re.MULTILINE)
    grpcio = re.search(r"^GRPC_GENERATED_VERSION = '(\S+)'$", stubs, re.MULTILINE)
    assert protobuf is not None
    assert grpcio is not None
    next_but_one = int(protobuf[1].split(".")[0]) + 2
    assert dependencies[0].startswith("googleapis-common-protos>"), "an answer to a list carries google.rpc.Status"
    assert dependencies[1:] == [f"grpcio>={grpcio[1]}", f"protobuf>={protobuf[1]},<{next_but_one}"]
