"""A TCP proxy, which can stop forwarding without closing the connection, as networks do."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from sagakit.runtime.settings import Listen

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Forwards each connection to what ``choose`` returns, both ways, until `hang` is called.

    With ``secured`` it speaks TLS in front of what does not. With ``source`` its clients are behind it those of that
    address, such as 127.0.0.2.
    """

    def __init__(
        self,
        choose: Callable[[], Listen],
        listen: Listen | None = None,
        secured: ssl.SSLContext | None = None,
        source: str = "",
    ) -> None:
        self.address = listen or Listen("127.0.0.1", 0)
        self._secured, self._source = secured, (source, 0) if source else None
        self._choose = choose
        self._going = asyncio.Event()
        self._going.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, *self.address, ssl=self._secured)
        self.address = Listen(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang(self) -> None:
        """Forward nothing any more, and close nothing."""
        self._going.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        behind = self._choose()
        try:
            there = await asyncio.open_connection(behind.host, behind.port, local_addr=self._source)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._forward(reader, there[1]), self._forward(there[0], writer))

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._going.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()
