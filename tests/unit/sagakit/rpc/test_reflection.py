"""Reflection finds every kind of symbol, in both its versions, and says what it does not find."""

from collections.abc import Iterable, Iterator

import grpc
import pytest
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldOptions,
    FileDescriptorProto,
)
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from sagakit.rpc.reflection import NAMES, Reflection
from sagakit.rpc.server import RpcServer
from sagakit.service.settings import ServiceSettings
from tests.support.served import free_address

POOL = descriptor_pool.Default()
NOT_FOUND, INVALID_ARGUMENT = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
KINDS = text_format.Parse(
    """
    name: "kinds.proto" package: "kinds" syntax: "proto2" dependency: "google/protobuf/descriptor.proto"
    message_type {
      name: "Outer" oneof_decl { name: "choice" } extension_range { start: 100 end: 200 }
      field { name: "chosen" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL oneof_index: 0 }
      field { name: "counts" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".kinds.Outer.CountsEntry" }
      nested_type {
        name: "CountsEntry" options { map_entry: true }
        field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
        field { name: "value" number: 2 type: TYPE_INT64 label: LABEL_OPTIONAL }
      }
      nested_type {
        name: "Inner"
        nested_type { name: "Innermost" enum_type { name: "Deep" value { name: "DEEP" number: 0 } } }
      }
      enum_type { name: "Nested" value { name: "NESTED" number: 0 } }
      extension {
        name: "inside" number: 50001 type: TYPE_STRING label: LABEL_OPTIONAL extendee: ".google.protobuf.FieldOptions"
      }
    }
    enum_type { name: "Top" value { name: "FIRST" number: 0 } value { name: "SECOND" number: 1 } }
    extension { name: "outside" number: 100 type: TYPE_STRING label: LABEL_OPTIONAL extendee: ".kinds.Outer" }
    service { name: "Service" method { name: "Call" input_type: ".kinds.Outer" output_type: ".kinds.Outer" } }
    """,
    FileDescriptorProto(),
)
CONTRACTS = [
    descriptor_pool.Default().AddSerializedFile(KINDS.SerializeToString()),
    *(descriptor_pool.Default().FindServiceByName(name).file for name in NAMES),
    *(
        one.DESCRIPTOR
        for one in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2, health_pb2, error_details_pb2)
    ),
]


def symbols(file: FileDescriptorProto) -> Iterator[str]:
    """Every full name that a file declares; an enum's values under both of the names that people give them."""
    yield from in_messages(file.package, file.message_type)
    yield from in_enums(file.package, file.enum_type)
    yield from (f"{file.package}.{extension.name}" for extension in file.extension)
    for service in file.service:
        yield f"{file.package}.{service.name}"
        yield from (f"{file.package}.{service.name}.{method.name}" for method in service.method)


def in_messages(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name
        yield from (f"{name}.{field.name}" for field in [*message.field, *message.extension])
        yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
        yield from in_enums(name, message.enum_type)
        yield from in_messages(name, message.nested_type)


def in_enums(scope: str, enums: Iterable[EnumDescriptorProto]) -> Iterator[str]:
    for enum in enums:
        yield f"{scope}.{enum.name}"
        for value in enum.value:
            yield f"{scope}.{value.name}"
            yield f"{scope}.{enum.name}.{value.name}"


def answer(request: ServerReflectionRequest) -> ServerReflectionResponse:
    answered = Reflection(["kinds.Service"]).answer(request)
    assert answered.original_request == request
    return answered


def files(request: ServerReflectionRequest) -> list[FileDescriptorProto]:
    """Return the files of an answer; each import must be among them."""
    sent = answer(request).file_descriptor_response.file_descriptor_proto
    found = [FileDescriptorProto.FromString(one) for one in sent]
    names = [file.name for file in found]
    assert len(set(names)) == len(names)
    assert {imported for file in found for imported in file.dependency} <= set(names)
    return found


def by_symbol(name: str) -> ServerReflectionRequest:
    return ServerReflectionRequest(file_containing_symbol=name)


def by_extension(of: str, number: int) -> ServerReflectionRequest:
    asked = ExtensionRequest(containing_type=of, extension_number=number)
    return ServerReflectionRequest(file_containing_extension=asked)


def numbers(of: str) -> ServerReflectionRequest:
    return ServerReflectionRequest(all_extension_numbers_of_type=of)


@pytest.mark.parametrize("dot", ["", "."], ids=["bare", "with a leading dot"])
@pytest.mark.parametrize("file", CONTRACTS, ids=[file.name for file in CONTRACTS])
def test_every_symbol_is_found_in_its_file(file: FileDescriptor, dot: str) -> None:
    contract = FileDescriptorProto.FromString(file.serialized_pb)
    names = list(symbols(contract))
    assert names
    for name in names:
        assert files(by_symbol(dot + name))[0].name == contract.name, name


def test_a_file_is_found_by_its_name_and_brings_all_that_it_imports() -> None:
    found = files(ServerReflectionRequest(file_by_filename="ordersaga/order/v1/order.proto"))
    assert found[0].name == "ordersaga/order/v1/order.proto"
    assert {"buf/validate/validate.proto", "google/rpc/status.proto", "google/protobuf/timestamp.proto"} <= {
        file.name for file in found
    }


@pytest.mark.parametrize(
    ("of", "number", "file"),
    [
        ("kinds.Outer", 100, "kinds.proto"),
        (".kinds.Outer", 100, "kinds.proto"),
        ("google.protobuf.FieldOptions", 50001, "kinds.proto"),
        ("google.protobuf.FieldOptions", 1159, "buf/validate/validate.proto"),
    ],
)
def test_an_extension_is_found_by_its_number(of: str, number: int, file: str) -> None:
    assert files(by_extension(of, number))[0].name == file


@pytest.mark.parametrize("dot", ["", "."], ids=["bare", "with a leading dot"])
def test_a_types_extensions_are_counted_up(dot: str) -> None:
    asked = answer(numbers(f"{dot}{FieldOptions.DESCRIPTOR.full_name}")).all_extension_numbers_response
    assert asked.base_type_name == FieldOptions.DESCRIPTOR.full_name
    assert {1159, 50001} <= set(asked.extension_number)
    assert list(asked.extension_number) == sorted(asked.extension_number)


def test_a_type_without_extensions_has_no_numbers() -> None:
    answered = answer(numbers("kinds.Outer.Inner"))
    assert answered.WhichOneof("message_response") == "all_extension_numbers_response"
    assert list(answered.all_extension_numbers_response.extension_number) == []


@pytest.mark.parametrize(
    "unknown",
    [
        *map(by_symbol, ["", ".", "kinds", "kinds.", "kinds/Service", "kinds.Nothing", "kinds.outer", "..kinds.Outer"]),
        *map(by_symbol, ["kinds.Outer.", "kinds.Outer.nothing", "kinds.Top.NESTED", "kinds.Outer\0", "k\u00efnds"]),
        *map(by_symbol, ["kinds.Service.Nothing", "kinds.Service.Call.Call", "kinds.Service.Call\0", "x" * 500_000]),
        ServerReflectionRequest(file_by_filename="nothing.proto"),
        ServerReflectionRequest(file_by_filename=""),
        by_extension("kinds.Outer", 101),
        by_extension("kinds.Outer", 0),
        by_extension("kinds.Outer", -1),
        by_extension("kinds.Nothing", 100),
        by_extension("", 100),
        numbers("kinds.Nothing"),
        numbers("kinds.Service"),
        numbers(""),
    ],
    ids=lambda request: text_format.MessageToString(request, as_one_line=True)[:120],
)
def test_what_is_not_there_is_said_not_to_be_found(unknown: ServerReflectionRequest) -> None:
    assert refused(answer(unknown)) is NOT_FOUND


def test_a_request_that_asks_for_nothing_is_invalid() -> None:
    assert refused(answer(ServerReflectionRequest(host="somewhere"))) is INVALID_ARGUMENT


@pytest.mark.parametrize("version", NAMES)
async def test_a_dialogue_goes_on_after_a_refusal(version: str) -> None:
    """Over a connection, in either version: what a client gets that asks well, then badly, then well again."""
    listen = free_address()
    server = RpcServer(ServiceSettings.model_construct(grpc_listen=listen), [])
    await server.start()
    asked = [
        ServerReflectionRequest(list_services="*"),
        by_symbol("nothing.Here"),
        ServerReflectionRequest(),
        by_symbol(f"{version}.ServerReflectionInfo"),
    ]
    async with grpc.aio.insecure_channel(str(listen)) as channel:
        call = channel.stream_stream(
            f"/{version}/ServerReflectionInfo",
            ServerReflectionRequest.SerializeToString,
            ServerReflectionResponse.FromString,
        )
        listed, unknown, empty, found = [one async for one in call(iter(asked))]
    await server.stop(0)
    assert [one.name for one in listed.list_services_response.service] == ["grpc.health.v1.Health", *NAMES]
    assert [refused(unknown), refused(empty)] == [NOT_FOUND, INVALID_ARGUMENT]
    (file,) = found.file_descriptor_response.file_descriptor_proto
    assert FileDescriptorProto.FromString(file).package == version.removesuffix(".ServerReflection")


def refused(answered: ServerReflectionResponse) -> grpc.StatusCode:
    assert answered.WhichOneof("message_response") == "error_response"
    assert answered.error_response.error_message
    return next(one for one in grpc.StatusCode if one.value[0] == answered.error_response.error_code)
