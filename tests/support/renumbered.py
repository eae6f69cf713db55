"""The real registry behind other ids, like one that was rebuilt after its storage was lost."""

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient

_ID = re.compile(r"(?<=/schemas/ids/)\d+")
_UNKNOWN = 2_000_000_000


class Renumbered:
    """A door to a registry, behind which each id is higher by ``shift``; it can be built anew with another one."""

    def __init__(self, registry_url: str) -> None:
        self.shift = 0
        self.fails_with = 0
        """The status of each answer, where it is not 0."""
        self.says: bytes | None = None
        """What stands in each answer, of the status 200, where it is not None."""
        self.asked: list[str] = []
        """What it was asked: the paths."""
        self._url, self._clients = registry_url, ExitStack()
        door = self

        class Handler(BaseHTTPRequestHandler):
            """Passes requests on."""

            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes | None) -> None:
                status, content = door.ask(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def ask(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Ask the registry, and return its status and answer."""
        self.asked.append(path)
        if self.fails_with:
            return self.fails_with, b'{"error_code": %d, "message": "it fails"}' % self.fails_with
        if self.says is not None:
            return 200, self.says
        real = _ID.sub(lambda found: str(max(0, int(found[0]) - self.shift) or _UNKNOWN), path)
        request = urllib.request.Request(  # noqa: S310 - our own registry
            self._url + real, body, {"Content-Type": "application/vnd.schemaregistry.v1+json"} if body else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
                content = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        if isinstance(content, dict) and "id" in content:
            content["id"] += self.shift
        return 200, json.dumps(content).encode()

    def run(self) -> None:
        self._server.serve_forever(0.05)

    def client(self) -> SchemaRegistryClient:
        """Return a client of its own, which lives as long as the door."""
        client: SchemaRegistryClient = SchemaRegistryClient({"url": self.url, "max.retries": 0})
        self._clients.enter_context(client)
        return client

    def close(self) -> None:
        self._clients.close()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def renumbered(registry_url: str) -> Iterator[Renumbered]:
    """Open a door to the registry at ``registry_url``."""
    door = Renumbered(registry_url)
    thread = threading.Thread(target=door.run, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.close()
        thread.join()
