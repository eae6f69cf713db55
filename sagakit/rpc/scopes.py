"""The scope that each method asks for, as its proto file says it by an option of the project's own."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from sagakit.errors import SagakitError


class MethodWithoutScope(SagakitError):
    """A method says nothing of who may call it, so its service does not start."""


def scopes_of(service: ServiceDescriptor, option: Any) -> Mapping[str, str]:  # noqa: ANN401 - protobuf's type is a stub's only
    """Return the scope of each method of ``service``, by its short name.

    ``option`` is the extension of ``google.protobuf.MethodOptions`` by which a proto file says it.

    Raises:
        MethodWithoutScope: a method has none.
    """
    scopes = {method.name: method.GetOptions().Extensions[option] for method in service.methods}
    for name, scope in scopes.items():
        if not scope:
            text = f"{service.full_name}/{name} has no scope; its rpc in {service.file.name} must say"
            raise MethodWithoutScope(f'{text} option ({option.full_name}) = "…";')
    return scopes


def all_scopes(files: Iterable[FileDescriptor], option: Any) -> frozenset[str]:  # noqa: ANN401 - protobuf's type is a stub's only
    """Return each scope that a method in one of the proto ``files`` asks for, by the extension ``option``.

    Raises:
        MethodWithoutScope: a method has none.
    """
    services = [service for file in files for service in file.services_by_name.values()]
    return frozenset(scope for service in services for scope in scopes_of(service, option).values())
