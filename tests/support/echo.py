"""A gRPC server in this process with the kit's guard, whose methods answer with what they were asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message

from devstack.ports import free_port
from sagakit.rpc.guard import Context
from sagakit.rpc.server import Api, RpcServer
from sagakit.runtime.settings import Listen
from sagakit.service.settings import ServiceSettings

LARGE = "x" * 10_000


class Echo:
    """Answers with the text it was asked with; streams it once and waits, or streams without end."""

    def __init__(self, listen: Listen | None = None, scopes: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.address = listen or Listen("127.0.0.1", free_port())
        self.called = 0
        self.on_call: Callable[[], None] = lambda: None
        self.open = 0
        """Streams that have begun and not ended."""
        read = ServiceSettings.model_construct(grpc_listen=self.address, **settings)
        self.server = RpcServer(read, [Api("echo", self._add, scopes or {})])

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(0)

    def _add(self, server: grpc.aio.Server) -> None:
        codec = (Message.FromString, Message.SerializeToString)
        methods = {
            "Call": grpc.unary_unary_rpc_method_handler(self._call, *codec),
            "Quiet": grpc.unary_stream_rpc_method_handler(self._quiet, *codec),
            "Endless": grpc.unary_stream_rpc_method_handler(self._endless, *codec),
            "Dialogue": grpc.stream_stream_rpc_method_handler(self._dialogue, *codec),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo", methods),))

    async def _call(self, request: Message, _: Context) -> Message:
        self.called += 1
        self.on_call()
        return request

    async def _quiet(self, request: Message, _: Context) -> AsyncIterator[Message]:
        self.open += 1
        try:
            yield request
            await asyncio.Event().wait()
        finally:
            self.open -= 1

    async def _endless(self, _: Message, __: Context) -> AsyncIterator[Message]:
        self.open += 1
        try:
            while True:
                yield Message(service=LARGE)
        finally:
            self.open -= 1

    async def _dialogue(self, requests: AsyncIterator[Message], _: Context) -> AsyncIterator[Message]:
        self.open += 1
        try:
            async for _request in requests:
                yield Message(service=LARGE)
        finally:
            self.open -= 1


def call(channel: Any, method: str = "Call") -> Any:
    """Return the ``method`` of the server behind ``channel``, of either kind, to be called with a message."""
    kinds = {"Call": channel.unary_unary, "Dialogue": channel.stream_stream}
    make = kinds.get(method, channel.unary_stream)
    return make(f"/echo/{method}", Message.SerializeToString, Message.FromString)
