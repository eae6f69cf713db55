"""A gRPC client that costs next to nothing: what is measured shares two cores with whoever measures.

grpcio's client takes about as much CPU a call as its server does. This one sends the same request head every time, and
of the answers it reads only what a load generator needs: the message and the status. It keeps no header table (it
tells the server to use none), and so can find the status by its name. A token is sent once, and pointed to afterwards.

Frames: RFC 9113; header blocks: RFC 7541; gRPC over them:
https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import select
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import NamedTuple

_SILENCE_SECONDS = 60.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_SET_TABLE_SIZE, _SET_PUSH, _SET_WINDOW = 1, 2, 4
_LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 65_535
_FRAME = struct.Struct(">HBBBI")
_PREFIX = struct.Struct(">BI")
_POST, _HTTP = b"\x83", b"\x86"  # of HPACK's static table, as are 1 and 4 below
_REMEMBERED_AUTHORIZATION = b"\x57"
"""The static table's name 23, with a value that is to be the first of the table that the server keeps."""
_AS_REMEMBERED = b"\xbe"
_LONG = 127
"""From here on a length takes more than one byte."""
_STATUS = b"grpc-status"
_OK = 0
_UNKNOWN = 2
_READ_BYTES = 262_144


class Access(NamedTuple):
    """What a service asks of its callers; by default it asks for nothing."""

    token: str = ""
    trust: ssl.SSLContext | None = None
    """Whom the server's certificate has to be from; None where it speaks in the clear."""


OPEN = Access()


class Answer(NamedTuple):
    """What came for one call: a message, or the call's end."""

    stream: int
    message: bytes | None
    """The serialized message; None at the end."""
    status: int | None
    """The gRPC status code at the end; None with a message."""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _FRAME.pack(size >> 8, size & 255, kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Write a header that is not to be remembered; ``name`` is the text, or one byte, the static table's index."""
    head = name if len(name) == 1 else bytes([0, len(name)]) + name
    return head + _text(value)


def _text(value: bytes) -> bytes:
    """Write a text behind its length, an integer with a prefix of seven bits (RFC 7541, 5.1)."""
    if len(value) < _LONG:
        return bytes([len(value)]) + value
    head, rest = bytearray([_LONG]), len(value) - _LONG
    while rest > _LONG:
        head.append(rest & _LONG | _LONG + 1)
        rest >>= 7
    return bytes([*head, rest]) + value


class Method:
    """One method's request head, made once."""

    def __init__(self, path: str) -> None:
        """Call ``path``: ``/package.Service/Method``."""
        self.head = (
            _POST
            + _HTTP
            + _literal(b"\x04", path.encode())
            + _literal(b"\x01", b"127.0.0.1")
            + _literal(b"te", b"trailers")
            + _literal(b"content-type", b"application/grpc")
        )


class Connection:
    """One HTTP/2 connection, for any number of calls at once."""

    def __init__(self, host: str, port: int, access: Access = OPEN) -> None:
        """Connect.

        Raises:
            OSError: nobody listens there, or somebody with another certificate.
        """
        self.socket = socket.create_connection((host, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if access.trust:
            self.socket = access.trust.wrap_socket(self.socket, server_hostname=host)
        bearer = _text(f"Bearer {access.token}".encode())
        self._authorization = _REMEMBERED_AUTHORIZATION + bearer if access.token else b""
        settings = struct.pack(">HIHIHI", _SET_TABLE_SIZE, 0, _SET_PUSH, 0, _SET_WINDOW, _LARGEST_WINDOW)
        window = struct.pack(">I", _LARGEST_WINDOW - _FIRST_WINDOW)
        self._out = bytearray(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW_UPDATE, 0, 0, window))
        self._in = bytearray()
        self._bodies: dict[int, bytearray] = {}
        self._next_stream = 1
        self._window = _FIRST_WINDOW
        self._held: list[tuple[int, bytes]] = []
        self.socket.settimeout(0)

    def call(self, method: Method, message: bytes) -> int:
        """Begin a call with one request message; return its stream's number. `flush` sends it."""
        stream = self.open(method)
        self.send(stream, message, end=True)
        return stream

    def open(self, method: Method) -> int:
        """Begin a call whose messages `send` sends."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._bodies[stream] = bytearray()
        self._out += _frame(_HEADERS, _END_HEADERS, stream, method.head + self._authorization)
        self._authorization = self._authorization and _AS_REMEMBERED
        return stream

    def send(self, stream: int, message: bytes, *, end: bool) -> None:
        """Send a request message; it waits here while the server's window is full."""
        body = _PREFIX.pack(0, len(message)) + message
        frame = _frame(_DATA, _END_STREAM if end else 0, stream, body)
        if self._held or len(body) > self._window:
            self._held.append((len(body), frame))
        else:
            self._window -= len(body)
            self._out += frame

    def flush(self) -> bool:
        """Send what waits, as far as the socket takes it; say whether all of it is gone."""
        while self._out:
            try:
                sent = self.socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError):
                return False
            del self._out[:sent]
        return True

    def receive(self) -> Iterator[Answer]:
        """Read what is there and yield the answers in it.

        Raises:
            ConnectionError: the server is gone, or going.
        """
        try:
            read = self.socket.recv(_READ_BYTES)
            while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                read += self.socket.recv(_READ_BYTES)  # what is decrypted already wakes no selector
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if not read:
            msg = "the server has closed the connection"
            raise ConnectionError(msg)
        self._in += read
        at, end = 0, len(self._in)
        while end - at >= _FRAME.size:
            high, low, kind, flags, stream = _FRAME.unpack_from(self._in, at)
            after = at + _FRAME.size + (high << 8 | low)
            if after > end:
                break
            yield from self._take(kind, flags, stream, bytes(self._in[at + _FRAME.size : after]))
            at = after
        del self._in[:at]

    def answers(self) -> Iterator[Answer]:
        """Send what waits, wait for answers and yield them: for who has nothing else to do.

        Raises:
            ConnectionError: the server is gone, or going.
            TimeoutError: nothing comes for a minute.
        """
        self.flush()
        if not select.select([self.socket], [], [], _SILENCE_SECONDS)[0]:
            msg = f"nothing has been answered for {_SILENCE_SECONDS:.0f} s"
            raise TimeoutError(msg)
        yield from self.receive()

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[Answer]:
        if kind == _HEADERS:
            if flags & _END_STREAM:
                self._bodies.pop(stream, None)
                yield Answer(stream, None, _status(payload))
        elif kind == _DATA:
            yield from self._messages(stream, payload)
        elif kind == _RST_STREAM:
            # Behind the status it says only that the server had answered before it read the request to its end.
            if self._bodies.pop(stream, None) is not None:
                yield Answer(stream, None, _UNKNOWN)
        elif kind == _WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload)
            self._release()
        elif kind == _SETTINGS and not flags & _ACK:
            self._out += _frame(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._out += _frame(_PING, _ACK, 0, payload)
        elif kind == _GOAWAY:
            msg = f"the server says goodbye: {payload[8:].decode(errors='replace')}"
            raise ConnectionError(msg)

    def _messages(self, stream: int, payload: bytes) -> Iterator[Answer]:
        body = self._bodies[stream]
        body += payload
        while len(body) >= _PREFIX.size:
            end = _PREFIX.size + _PREFIX.unpack_from(body)[1]
            if len(body) < end:
                return
            yield Answer(stream, bytes(body[_PREFIX.size : end]), None)
            del body[:end]

    def _release(self) -> None:
        while self._held and self._held[0][0] <= self._window:
            size, frame = self._held.pop(0)
            self._window -= size
            self._out += frame


def _status(block: bytes) -> int:
    """Find the status in a header block that is all literals; its value is one or two digits behind its length."""
    at = block.find(_STATUS)
    if at < 0:
        return _UNKNOWN
    at += len(_STATUS)
    return int(block[at + 1 : at + 1 + block[at]])
