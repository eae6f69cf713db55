"""A plugin for buf that makes gRPC's Python stubs.

grpcio-tools carries that generator inside its protoc only, not as a program of its own. So this reads buf's request,
gives protoc the descriptors in it, and hands back what protoc wrote.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def respond(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Generate the stubs of the files that have a service."""
    targets = set(request.file_to_generate)
    with_service = [file.name for file in request.proto_file if file.name in targets and file.service]
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    if not with_service:
        return response
    with tempfile.TemporaryDirectory() as folder:
        descriptors, out = Path(folder, "descriptors.bin"), Path(folder, "out")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out.mkdir()
        status = protoc.main(
            ["protoc", f"--descriptor_set_in={descriptors}", f"--grpc_python_out={out}", *with_service]
        )
        if status:
            response.error = f"grpc_tools.protoc ended with status {status}"
        for path in sorted(out.rglob("*.py")):
            response.file.add(name=path.relative_to(out).as_posix(), content=path.read_text())
    return response


if __name__ == "__main__":
    sys.stdout.buffer.write(respond(CodeGeneratorRequest.FromString(sys.stdin.buffer.read())).SerializeToString())
