"""The gRPC server: reflection, health, TLS where it is set, and the guard around every method."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from sagakit.rpc import reflection
from sagakit.rpc.bearers import Bearers
from sagakit.rpc.clients import Clients
from sagakit.rpc.connections import server_options
from sagakit.rpc.credentials import credentials
from sagakit.rpc.gate import ALWAYS_OPEN, Gate
from sagakit.rpc.guard import Calls, Guard
from sagakit.rpc.quotas import Quotas
from sagakit.rpc.scopes import scopes_of
from sagakit.rpc.settings import RpcSettings
from sagakit.rpc.statuses import CODES
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger

log = logger("rpc")

LIVENESS = "liveness"
"""Service name for the health of the process itself; the empty name and the APIs' names stand for readiness."""

_BURST_SECONDS = 2
"""A caller may make at once what he may make on average in so long a time."""
_CHECK_SECONDS = 0.1
_QUIET_CHECKS = 10


class Api(NamedTuple):
    """One gRPC service."""

    name: str
    """Its full name."""
    add: Callable[[grpc.aio.Server], None]
    """Adds its servicer to a server."""
    scopes: Mapping[str, str]
    """By each method's short name what a caller's token must be good for."""

    @classmethod
    def of(
        cls,
        service: ServiceDescriptor,
        scope: Any,  # noqa: ANN401 - protobuf's type is a stub's only
        servicer: object,
        add: Callable[[Any, grpc.aio.Server], None],
    ) -> Self:
        """Return the API of ``servicer``, which the generated function ``add`` adds to a server.

        ``scope`` is the option by which the proto file of ``service`` says each method's scope.

        Raises:
            MethodWithoutScope: a method has none.
        """
        return cls(service.full_name, partial(add, servicer), scopes_of(service, scope))


class _Guarding:
    """The part of a server that a generated ``add_…_to_server`` calls; it puts the guard around what is added."""

    def __init__(self, server: grpc.aio.Server, calls: Calls, gate: Gate) -> None:
        self._server, self._calls, self._gate = server, calls, gate

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(tuple(Guard(handler, self._calls, self._gate) for handler in handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, object]) -> None:  # noqa: ARG002 - as grpc calls it
        """Begin to count. These are the same methods again, registered by name; nothing else is needed of them."""
        metrics.begin_at_zero(metrics.RPCS, handlers, (*CODES, grpc.StatusCode.CANCELLED.name))


class RpcServer:
    """Serves the APIs of one service."""

    def __init__(self, settings: RpcSettings, apis: Sequence[Api]) -> None:
        """Make a server for ``apis``; it is not ready until `set_ready`.

        Raises:
            RuntimeError: a port is in use.
            UnusableFiles: the TLS files do not fit.
        """
        self._names = [api.name for api in apis]
        self._health = HealthServicer()
        options = server_options(settings)
        self._server = grpc.aio.server(options=options)
        per_second = settings.grpc_caller_calls_per_second
        quotas = Quotas(per_second, max(1, round(per_second * _BURST_SECONDS)), settings.grpc_caller_streams)
        self._calls = Calls(clients=Clients(settings.grpc_tls_client_names), quotas=quotas)
        tokens = settings.tokens()
        bearers = Bearers(tokens, quotas) if tokens else None
        for api in apis:
            api.add(self._guarding(self._calls, Gate(bearers, api.scopes)))
        # Health has a count of its own: it answers probes at any number of calls, and no stop waits for its watchers.
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._guarding(_probes(settings), ALWAYS_OPEN))
        health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.add_to_server(self._guarding(self._calls, Gate(bearers)), [*self._names, health])
        self._bind(settings)
        self._probed = self._serve_probes(settings, options) if settings.health_listen else None
        _warn_of_openness(settings)

    def _guarding(self, calls: Calls, gate: Gate) -> grpc.aio.Server:
        return cast("grpc.aio.Server", _Guarding(self._server, calls, gate))

    def _serve_probes(self, settings: RpcSettings, options: Sequence[tuple[str, int]]) -> grpc.aio.Server:
        """Return a server that tells of the health in the clear, and knows nothing else."""
        server = grpc.aio.server(options=options)
        guarding = cast("grpc.aio.Server", _Guarding(server, _probes(settings), ALWAYS_OPEN))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, guarding)
        server.add_insecure_port(str(settings.health_listen))
        return server

    def _bind(self, settings: RpcSettings) -> None:
        address, secured = str(settings.grpc_listen), credentials(settings.grpc_tls_files())
        if secured is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, secured)

    async def start(self) -> None:
        """Start to answer: alive, not ready."""
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self.set_ready(ready=False)
        await self._server.start()
        if self._probed:
            await self._probed.start()

    async def set_alive(self, *, alive: bool) -> None:
        """Report through the health service whether the process is well, or should be restarted."""
        status = health_pb2.HealthCheckResponse.SERVING if alive else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set(LIVENESS, status)

    async def set_ready(self, *, ready: bool) -> None:
        """Report through the health service whether the service takes calls."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, status)

    async def stop(self, grace_seconds: float) -> None:
        """Report NOT_SERVING, give calls under way ``grace_seconds`` to end, then stop.

        gRPC may hold calls that never begin: those whose message has not come and, in one of a hundred stops under
        load, a call that it has lost. They are cut off once no other call is under way.
        """
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._server.stop(grace_seconds))
        quiet = 0
        while not stopping.done() and quiet < _QUIET_CHECKS:
            await asyncio.wait([stopping], timeout=_CHECK_SECONDS)
            quiet = 0 if self._calls.under_way else quiet + 1
        await self._server.stop(None)
        await stopping
        if self._probed:  # last: until then they are told that nothing is served any more
            await self._probed.stop(None)


def _probes(settings: RpcSettings) -> Calls:
    """Return what counts the questions about the health: one address may watch as often as a caller, and ask freely."""
    return Calls(quotas=Quotas(math.inf, 1, settings.grpc_caller_streams))


def _warn_of_openness(settings: RpcSettings) -> None:
    """Log at each start what makes the API less closed than it could be."""
    if settings.serves_anyone:
        log.warning("callers need no token: whoever reaches the port may do everything", grpc=str(settings.grpc_listen))
    elif settings.sends_tokens_in_clear:
        log.warning("callers' tokens travel in clear text: TLS is off", grpc=str(settings.grpc_listen))
