"""The console as a process: what a browser shows of the stack."""

import os
import ssl
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from devstack.http_server import HttpServer
from devstack.layout import ROOT, Layout
from devstack.security import Security
from devstack.server import quiet
from devstack.state import State

NAME = "console"
PORT_VARIABLE = "CONSOLE_PORT"
_PACKAGE = "console_svc"


class Console(HttpServer):
    """The console. It asks the services where the state file says that they are: by the settings ``asks``."""

    NAME, TITLE = NAME, "the console"
    HEALTH = "/healthz"
    READY_SECONDS, STOP_SECONDS = 30, 15

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the console of ``layout``'s stack."""
        super().__init__(layout, state, layout.console_port or 0)
        self._security = Security(layout, state)

    @property
    def is_stale(self) -> bool:
        """Whether it runs, and its code has changed since it was started."""
        return self.pid is not None and self._process.record.get("code") != _fingerprint()

    def keep_port(self) -> None:
        """Listen where it did the last time, unless the environment says otherwise: the stack around it still runs."""
        if self._wanted_port and not os.environ.get(PORT_VARIABLE):
            self._wanted_port = self._last_port or self._wanted_port

    def _is_current(self, asks: Mapping[str, str]) -> bool:
        return not self.is_stale and self._process.record.get("asks") == asks

    def _launch(self, asks: Mapping[str, str]) -> None:
        listen = f"127.0.0.1:{self._choose_port(quiet)}"
        settings = {
            "LOG_FORMAT": "json",
            "CONSOLE_LISTEN": listen,
            **asks,
            **self._security.console_settings(),
        }
        scheme = "https" if self._security.on else "http"
        self._process.launch(
            [sys.executable, "-m", _PACKAGE],
            env={**os.environ, **settings},
            record={"url": f"{scheme}://{listen}", "asks": dict(asks), "code": _fingerprint()},
            cwd=ROOT,
        )

    @property
    def record(self) -> Mapping[str, object]:
        """What the state file says of it."""
        return self._process.record

    def _trust(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self._security.ca)) if self._security.on else None


def _fingerprint() -> str:
    """Return a digest of all that the console runs and serves."""
    digest = sha256()
    for path in sorted(path for folder in (_PACKAGE, "sagakit", "gen") for path in (ROOT / folder).rglob("*")):
        if path.is_file() and _counts(path):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _counts(path: Path) -> bool:
    return path.suffix == ".py" or (_PACKAGE in path.parts and "__pycache__" not in path.parts)
