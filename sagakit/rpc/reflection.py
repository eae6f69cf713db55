"""gRPC reflection: clients such as grpcurl use it to call an API without its proto files.

``grpcio-reflection`` offers v1alpha alone, and finds neither methods, nor an enum's values by the enum's name, nor
names with a leading dot. This module offers v1 and v1alpha, for every symbol that the process has loaded. The messages
of the two versions differ only in their package. So v1alpha's classes serve both, and v1's descriptor is made from
v1alpha's.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as v1alpha
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

_POOL = descriptor_pool.Default()
_METHOD = "ServerReflectionInfo"


def _load_v1() -> str:
    """Load v1's descriptor and return the full name of its service."""
    file = FileDescriptorProto()
    v1alpha.DESCRIPTOR.CopyToProto(file)
    file = text_format.Parse(str(file).replace("v1alpha", "v1"), FileDescriptorProto())
    file.name = "grpc/reflection/v1/reflection.proto"
    file.options.ClearField("deprecated")
    _POOL.AddSerializedFile(file.SerializeToString())
    return f"{file.package}.{file.service[0].name}"


NAMES = (_load_v1(), v1alpha.DESCRIPTOR.services_by_name["ServerReflection"].full_name)
"""The full names of the two services."""


def add_to_server(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Add both versions of reflection to ``server``; they list ``services``, by their full names, and themselves."""
    reflection = Reflection([*services, *NAMES])
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.answers, ServerReflectionRequest.FromString, ServerReflectionResponse.SerializeToString
    )
    for name in NAMES:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {_METHOD: handler}),))


class Reflection:
    """Answers from the loaded descriptors: the APIs, their imports, and the details of errors."""

    def __init__(self, services: Iterable[str]) -> None:
        """List ``services``, by their full names, to clients."""
        self._services = sorted(services)

    async def answers(
        self, requests: AsyncIterator[ServerReflectionRequest], _: object
    ) -> AsyncIterator[ServerReflectionResponse]:
        """Answer each request of a stream. NOT_FOUND is an answer too, and the stream goes on."""
        async for request in requests:
            yield self.answer(request)

    def answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        """Return the answer to one request."""
        response = ServerReflectionResponse(valid_host=request.host, original_request=request)
        try:
            self._fill(response, request)
        except KeyError:
            _refuse(response, grpc.StatusCode.NOT_FOUND, "nothing of this name or number is known here")
        return response

    def _fill(self, response: ServerReflectionResponse, request: ServerReflectionRequest) -> None:
        asked = request.WhichOneof("message_request")
        if asked == "list_services":
            listed = [v1alpha.ServiceResponse(name=name) for name in self._services]
            response.list_services_response.service.extend(listed)
        elif asked == "file_by_filename":
            _send(response, _POOL.FindFileByName(request.file_by_filename))
        elif asked == "file_containing_symbol":
            _send(response, _file_of(_plain(request.file_containing_symbol)))
        elif asked == "file_containing_extension":
            extension = request.file_containing_extension
            extended = _POOL.FindMessageTypeByName(_plain(extension.containing_type))
            found = _POOL.FindExtensionByNumber(extended, extension.extension_number)
            _send(response, _POOL.FindFileContainingSymbol(found.full_name))
        elif asked == "all_extension_numbers_of_type":
            extended = _POOL.FindMessageTypeByName(_plain(request.all_extension_numbers_of_type))
            response.all_extension_numbers_response.base_type_name = extended.full_name
            numbers = sorted(extension.number for extension in _POOL.FindAllExtensions(extended))
            response.all_extension_numbers_response.extension_number.extend(numbers)
        else:
            _refuse(
                response,
                grpc.StatusCode.INVALID_ARGUMENT,
                "the request asks for nothing that this version of reflection knows",
            )


def _plain(name: str) -> str:
    """Return a full name without the leading dot that proto files allow."""
    return name.removeprefix(".")


def _file_of(symbol: str) -> FileDescriptor:
    """Return the file that declares ``symbol``.

    Protobuf's pool does not find methods. It knows an enum's values only as siblings of the enum, but people write
    ``Enum.VALUE``.

    Raises:
        KeyError: no such symbol is loaded.
    """
    with suppress(KeyError):
        return _POOL.FindFileContainingSymbol(symbol)
    with suppress(KeyError):
        return _POOL.FindMethodByName(symbol).containing_service.file
    parent, _, name = symbol.rpartition(".")
    enum = _POOL.FindEnumTypeByName(parent)
    if name not in enum.values_by_name:
        raise KeyError(symbol)
    return enum.file


def _send(response: ServerReflectionResponse, file: FileDescriptor) -> None:
    """Answer with ``file`` and all its imports, so that the client need not ask for them."""
    files: dict[str, FileDescriptor] = {}
    _collect(file, files)
    response.file_descriptor_response.file_descriptor_proto.extend(one.serialized_pb for one in files.values())


def _collect(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    if file.name not in files:
        files[file.name] = file
        for imported in file.dependencies:
            _collect(imported, files)


def _refuse(response: ServerReflectionResponse, code: grpc.StatusCode, text: str) -> None:
    response.error_response.error_code = code.value[0]
    response.error_response.error_message = text
