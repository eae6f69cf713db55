"""Where the stack keeps its things, and which ports it uses."""

import hashlib
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError
from sagakit.service.manifest import found

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""
MANIFESTS = found(ROOT)
"""The services, by name."""
NOBODY = 65534
"""PostgreSQL refuses to run as root; where root starts it, it runs as this user, which every system has."""
_OUTSIDE = Path("/var/lib/order-saga")
_HIGHEST_PORT = 65535
_CONSOLE_PORT = 8088
_SERVERS = {"kafka": 0, "registry": 0, "postgres": 0, "prometheus": 0, "collector": 0, "zipkin": 9411}
"""The ports of servers; any one that is free, where people do not type it."""
_PASSABLE = 0o755


@dataclass(frozen=True)
class Layout:
    """One stack's folders and ports. A port of 0 means any free one."""

    data: Path
    """Everything the stack writes, but for the downloads."""
    grpc_ports: dict[str, int] = field(default_factory=dict)
    metrics_ports: dict[str, int] = field(default_factory=dict)
    server_ports: dict[str, int] = field(default_factory=dict)
    console_port: int | None = None
    """The console's; None where `up` starts none."""
    uses_environment: bool = False
    """Whether servers that the environment names are used instead of started."""
    session_seconds: float = 6.0
    """How long Kafka waits for a member of a consumer group that is silent before others get its partitions."""
    secure: bool = False
    """Whether `up` starts everything closed: TLS, logins, ACLs."""
    observe: bool = False
    """Whether `up` starts a Prometheus and a viewer of traces beside everything."""
    databases_apart: bool = False
    """Whether each service's database has a server of its own, so that one can fail while the others go on."""

    @classmethod
    def from_environment(cls) -> "Layout":
        """Return the layout of ``make up``: the repository's ``.devstack``, and the documented ports.

        Raises:
            DevstackError: a variable holds no port.
        """
        return cls(
            data=Path(os.environ.get("DEVSTACK_DATA") or ROOT / ".devstack").absolute(),
            grpc_ports={name: _port(grpc_variable(name), one.grpc_port) for name, one in MANIFESTS.items()},
            metrics_ports={name: _port(metrics_variable(name), one.metrics_port) for name, one in MANIFESTS.items()},
            server_ports={name: _port(f"{name.upper()}_PORT", port) for name, port in _SERVERS.items()},
            console_port=_port("CONSOLE_PORT", _CONSOLE_PORT),
            uses_environment=True,
            secure=bool(os.environ.get("SECURE")),
            observe=bool(os.environ.get("OBSERVE")),
        )

    @classmethod
    def fresh(
        cls,
        data: Path,
        *,
        session_seconds: float = 6.0,
        databases_apart: bool = False,
        secure: bool = False,
        observe: bool = False,
    ) -> "Layout":
        """Return a layout in the folder ``data``, every port a free one."""
        return cls(
            data.absolute(),
            session_seconds=session_seconds,
            databases_apart=databases_apart,
            secure=secure,
            observe=observe,
        )

    @property
    def logs(self) -> Path:
        """The folder of every process's log."""
        return self.data / "logs"

    @property
    def postgres(self) -> Path:
        """The folder of PostgreSQL's data: where they are; else in ``data`` if its user can get there, or `outside`."""
        if os.geteuid() != 0 or (self._inside / "data").exists():
            return self._inside
        if (self.outside / "data").exists() or not reachable_for_others(self.data):
            return self.outside
        return self._inside

    @property
    def outside(self) -> Path:
        """The folder below ``/var/lib`` for PostgreSQL, where root starts it and its user cannot get to ``data``."""
        return _OUTSIDE / hashlib.sha256(str(self.data).encode()).hexdigest()[:12]

    @property
    def _inside(self) -> Path:
        return self.data / "postgres"


def cache() -> Path:
    """Return the folder where downloads are kept for every stack of this user.

    Raises:
        DevstackError: the user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else home() / ".cache") / "order-saga"


def home() -> Path:
    """Return the user's home folder: ``HOME``, or, where that is not set, what the system's list of users says.

    Raises:
        DevstackError: neither names one.
    """
    try:
        return Path(os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        text = f"user {os.geteuid()} has no home folder; set HOME, or XDG_CACHE_HOME to where downloads may be kept"
        raise DevstackError(text) from None


def grpc_variable(service: str) -> str:
    """Return the variable that changes a service's gRPC port."""
    return f"{service.upper()}_GRPC_PORT"


def metrics_variable(service: str) -> str:
    """Return the variable that changes a service's metrics port."""
    return f"{service.upper()}_METRICS_PORT"


def reachable_for_others(path: Path) -> bool:
    """Say whether a user who owns nothing can get to ``path``, or to where it will be made."""
    real = path.resolve()
    existing = next(parent for parent in (real, *real.parents) if parent.exists())
    return all(folder.stat().st_mode & 0o001 for folder in (existing, *existing.parents))


def make_passable(folder: Path) -> None:
    """Make ``folder`` and those above it where they are missing, so that every user can get to what is in them."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(_PASSABLE)  # whatever the umask says


def keep_loopback_off_proxies() -> None:
    """Let this process and those that it starts reach 127.0.0.1 directly, where the environment names a proxy."""
    if any(name.lower() in {"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"} for name in os.environ):
        exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        hosts = dict.fromkeys([*filter(None, exempt.split(",")), "127.0.0.1", "localhost"])
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)


def _port(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not value.isdecimal() or not 0 <= int(value) <= _HIGHEST_PORT:
        text = f"{variable}={value}: must be a port, 1 to {_HIGHEST_PORT}"
        raise DevstackError(text)
    return int(value)
