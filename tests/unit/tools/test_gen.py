"""What stands in ``gen/``, used as a client would use it."""

import re
import tomllib
from typing import Any

import protovalidate
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2
from ordersaga.messages import RECORDS
from ordersaga.order.v1 import order_pb2

from tools.paths import GEN, SCHEMAS
from tools.schemas import read_records


def test_the_constraints_of_a_proto_file_hold_for_its_generated_messages() -> None:
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=0)
    (violation,) = protovalidate.collect_violations(request)
    assert violation.proto.field is not None
    assert violation.proto.field.elements[0].field_name == "quantity"


def test_reflection_can_serve_the_annotations_that_the_contracts_import() -> None:
    servicer: Any = reflection.ReflectionServicer(["ordersaga.order.v1.OrderService"], descriptor_pool.Default())
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="ordersaga.order.v1.OrderService")
    (response,) = servicer.ServerReflectionInfo(iter([request]), None)
    assert len(response.file_descriptor_response.file_descriptor_proto) > 1


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
    assert dependencies == [f"grpcio>={grpcio[1]}", f"protobuf>={protobuf[1]},<{next_but_one}"]
