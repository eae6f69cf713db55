"""What a service is, said once: the ``manifest.py`` in its folder.

The service itself starts from its manifest. What runs, checks and tests services gets all manifests from `found`, and
so has no list of its own.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sagakit.records import Record


@dataclass(frozen=True)
class Manifest:
    """One service."""

    name: str
    """Of its package, its consumer group and its database."""
    description: str
    """What it does, in one clause without a subject: "books rooms"."""
    grpc_port: int
    """Where its API is on one's own machine. In a cluster each service has an address, and all have the same port."""
    metrics_port: int
    """Where its metrics are on one's own machine."""
    rules: str
    """The module that holds its rules. It reaches no server; `make lint` sees to that."""
    reads: tuple[type[Record], ...]
    """The record types that it handles. It consumes their topics."""
    writes: tuple[type[Record], ...]
    """The record types that it publishes."""
    rereads: tuple[type[Record], ...] = ()
    """The record types whose topics it reads beside, to find what its database has forgotten."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it consumes."""
        return tuple(dict.fromkeys(record.TOPIC for record in self.reads))


def found(folder: Path) -> dict[str, Manifest]:
    """Return the manifest of each service in ``folder`` by the service's name, the one with the lowest port first.

    ``folder`` is one from which Python imports.

    Raises:
        ValueError: a manifest has another name than its folder.
    """
    by_folder = {path.parent.name: _read(path.parent.name) for path in sorted(folder.glob("*_svc/manifest.py"))}
    for name, manifest in by_folder.items():
        if manifest.name != name:
            msg = f"{name}/manifest.py: the service is called {manifest.name!r}, and its folder is not"
            raise ValueError(msg)
    return dict(sorted(by_folder.items(), key=lambda item: item[1].grpc_port))


def _read(package: str) -> Manifest:
    manifest: Manifest = import_module(f"{package}.manifest").MANIFEST
    return manifest
