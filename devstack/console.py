"""The console as a process: what a browser shows of the stack."""

import os
import ssl
import sys
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from devstack.layout import ROOT, Layout, choose_port
from devstack.processes import ManagedProcess
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State

NAME = "console"
PORT_VARIABLE = "CONSOLE_PORT"
_PACKAGE = "console_svc"
_READY_SECONDS = 30
_STOP_SECONDS = 15


class Console(Server):
    """The console. It asks the services where the state file says that they are."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the console of ``layout``'s stack."""
        super().__init__(ManagedProcess(state, NAME, layout.logs / f"{NAME}.log"), _STOP_SECONDS)
        self._wanted_port = layout.console_port or 0
        self._security = Security(layout, state)

    @property
    def url(self) -> str:
        """Where browsers find it; empty before the first start."""
        return str(self._process.record.get("url", ""))

    address = url

    @property
    def is_stale(self) -> bool:
        """Whether it runs, and its code has changed since it was started."""
        return self.pid is not None and self._process.record.get("code") != _fingerprint()

    def keep_port(self) -> None:
        """Listen where it did the last time, unless the environment says otherwise: the stack around it still runs."""
        if self._wanted_port and not os.environ.get(PORT_VARIABLE):
            self._wanted_port = self._remembered or self._wanted_port

    def check_port(self, progress: Progress = quiet) -> None:
        """Check that it can listen where it is told to, unless it runs already.

        Raises:
            DevstackError: the port is in use, and stays so.
        """
        if self.pid is None:
            self._choose_port(progress)

    def launch(self, asks: Mapping[str, str]) -> None:
        """Start it where it does not run, or runs older code or asks elsewhere, without waiting until it is ready.

        ``asks`` are the settings that name whom it asks.
        """
        if self.pid is not None and not self.is_stale and self._process.record.get("asks") == asks:
            return
        self.stop()
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

    def start(self, progress: Progress = quiet) -> None:
        """Start it again, as it was, where it does not run; return when it answers."""
        progress("starting")
        self.check_port(progress)
        self.launch(dict(self._process.record.get("asks", {})))
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            DevstackError: it ended, or took too long.
        """
        self._process.wait_until(self.ready, _READY_SECONDS)

    def ready(self) -> bool:
        """Say whether it answers."""
        context = ssl.create_default_context(cafile=str(self._security.ca)) if self._security.on else None
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2, context=context) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own number
        except OSError:
            return False

    @property
    def record(self) -> Mapping[str, object]:
        """What the state file says of it."""
        return self._process.record

    @property
    def _remembered(self) -> int:
        return int(self.url.rpartition(":")[2]) if self.url else 0

    def _choose_port(self, progress: Progress) -> int:
        return choose_port(self._wanted_port, self._remembered, "the console", PORT_VARIABLE, progress)


def _fingerprint() -> str:
    """Return a digest of all that the console runs and serves."""
    digest = sha256()
    for path in sorted(path for folder in (_PACKAGE, "sagakit", "gen") for path in (ROOT / folder).rglob("*")):
        if path.is_file() and _counts(path):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _counts(path: Path) -> bool:
    return path.suffix == ".py" or (_PACKAGE in path.parts and "__pycache__" not in path.parts)
