"""A client that is alive and reads nothing: HTTP/2 by hand, with a window of no byte for what the server has to say."""

import asyncio
import ssl
import struct
from contextlib import suppress
from typing import Self

from sagakit.runtime.settings import Listen

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_INITIAL_WINDOW = 4
"""The setting by which a client says how much of a stream it takes before it has read some (RFC 9113, 6.5.2)."""
_HEAD = 9
"""The bytes in front of each frame."""


class StillReader:
    """One connection; it acknowledges settings and answers pings, so that nobody takes it for dead."""

    def __init__(self, address: Listen, authority: bytes, token: str) -> None:
        """Connect to ``address``, which shows a certificate of ``authority``; calls carry ``token``."""
        self._address, self._token = address, token
        self._context = ssl.create_default_context(cadata=authority.decode())
        self._context.set_alpn_protocols(["h2"])
        self._next_stream = 1
        self.read = 0
        """Bytes of answers that came all the same."""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address, ssl=self._context)
        self._writer.write(_PREFACE)
        self._send(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW, 0))
        self._living = asyncio.create_task(self._stay_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._living.cancel()
        await asyncio.gather(self._living, return_exceptions=True)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def call(self, method: str, request: bytes) -> None:
        """Begin a call of ``method``, ``/package.Service/Method``, whose answers are never read."""
        headers = {
            ":method": "POST", ":scheme": "https", ":path": method, ":authority": str(self._address), "te": "trailers",
            "content-type": "application/grpc", "authorization": f"Bearer {self._token}",
        }  # fmt: skip
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._send(_HEADERS, _END_HEADERS, stream, b"".join(_literal(*header) for header in headers.items()))
        self._send(_DATA, _END_STREAM, stream, struct.pack(">BI", 0, len(request)) + request)

    async def _stay_alive(self) -> None:
        while True:
            head = await self._reader.readexactly(_HEAD)
            kind, flags = head[3], head[4]
            body = await self._reader.readexactly(int.from_bytes(head[:3]))
            if kind == _DATA:
                self.read += len(body)
            elif kind in {_SETTINGS, _PING} and not flags & _ACK:
                self._send(kind, _ACK, 0, body if kind == _PING else b"")

    def _send(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        self._writer.write(len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body)


def _literal(name: str, value: str) -> bytes:
    """Return a header as HPACK writes one that nobody has to remember (RFC 7541, 6.2.2)."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    length, out = len(text), bytearray()
    if length < 127:
        out.append(length)
    else:
        out.append(127)
        length -= 127
        while length >= 128:
            out.append(length & 127 | 128)
            length >>= 7
        out.append(length)
    return bytes(out) + text.encode()
