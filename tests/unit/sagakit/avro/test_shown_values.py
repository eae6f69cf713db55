"""What is shown of a value: decoded where that is safe, else the reason and its bytes."""

import json
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from sagakit.avro.shown_values import Decoder

RECORD = {"type": "record", "name": "Ping", "namespace": "scratch", "fields": [{"name": "number", "type": "long"}]}
LIST = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
NULLS = {"type": "array", "items": "null"}
HEAD = struct.pack(">bI", 0, 1)


class Registry:
    """A registry that has one schema, whatever it is asked for."""

    def __init__(self) -> None:
        self.schema: Any = RECORD
        registry = self

        class Handler(BaseHTTPRequestHandler):
            """Answers with the schema."""

            def do_GET(self) -> None:
                content = json.dumps({"schema": json.dumps(registry.schema)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    thread = Thread(target=registry.server.serve_forever, args=(0.05,))
    thread.start()
    yield registry
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


def test_a_record_is_decoded(registry: Registry) -> None:
    found = Decoder({"url": registry.url}).decode(HEAD + b"\x0e")
    assert found == {"schema": "scratch.Ping", "value": {"number": 7}, "value_hex": ""}


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        (LIST, b"\2" * 40_000 + b"\0", "contains itself"),
        (NULLS, b"\x80\xda\xc4\x09\0", "more items than its size allows"),
        (RECORD, b"\x0e\0", "left over"),
        (RECORD, b"x" * 70_000, "70005 bytes"),
    ],
    ids=["a list without end", "ten million nulls", "a byte too many", "too large"],
)
def test_what_would_harm_its_reader_is_shown_in_hexadecimal(
    registry: Registry, schema: Any, value: bytes, why: str
) -> None:
    registry.schema = schema
    found = Decoder({"url": registry.url}).decode(HEAD + value)
    assert found["value"] is None
    assert why in found["schema"]
    assert found["value_hex"] == (HEAD + value).hex()
