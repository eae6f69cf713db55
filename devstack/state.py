"""``.devstack/state.json``: what runs where, for people's scripts and for the next ``make up``."""

import json
import os
import threading
from pathlib import Path
from typing import Any


class State:
    """The state file: a record for each server and, below ``services``, for each service."""

    def __init__(self, path: Path) -> None:
        """Read ``path``; a file that is missing or broken counts as empty."""
        self._path = path
        self._lock = threading.Lock()
        self._records: dict[str, Any] = {}
        self.closed = False
        self.reload()

    def reload(self) -> None:
        """Read the file again: another process may have changed it."""
        try:
            content = json.loads(self._path.read_text())
        except (OSError, ValueError):
            content = {}
        self._records = content if isinstance(content, dict) else {}

    def refuse_new(self) -> None:
        """From now on no process may be started: a start has failed, and what it started is being stopped."""
        self.closed = True

    def get(self, name: str) -> dict[str, Any]:
        """Return the record of a server, or of a service by its name; empty where there is none."""
        found = self._records.get(name) or self._services().get(name)
        return dict(found) if isinstance(found, dict) else {}

    @property
    def names(self) -> list[str]:
        """All that has a record: the servers, then the services."""
        return [*(name for name in self._records if name != "services"), *self._services()]

    def put(self, name: str, *, service: bool, record: dict[str, Any]) -> None:
        """Store a record; the file is replaced as a whole, so that no reader sees half of it.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if service:
                self._records.setdefault("services", {})[name] = record
            else:
                self._records[name] = record
            self._write()

    def remove(self, name: str) -> None:
        """Remove the record of ``name``, where there is one.

        Raises:
            OSError: the file cannot be written.
        """
        with self._lock:
            if self._records.pop(name, None) is not None:
                self._write()

    def _services(self) -> dict[str, Any]:
        services = self._records.get("services")
        return services if isinstance(services, dict) else {}

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        with open(temporary, "w", opener=_private) as file:  # 0600: a dsn holds a password
            file.write(json.dumps(self._records, indent=2) + "\n")
        os.replace(temporary, self._path)  # noqa: PTH105 - the same, and atomic by its name

    def as_dict(self) -> dict[str, Any]:
        """Return everything, as it stands in the file."""
        copy: dict[str, Any] = json.loads(json.dumps(self._records))
        return copy


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
