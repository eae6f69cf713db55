"""What processes use: CPU, memory, and what they write."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from devstack.services import NAMES
from devstack.stack import Stack

LOAD = "load generator"
_LOOPBACK = ("lo", "lo0")
"""As Linux and as macOS call it."""


@dataclass(frozen=True)
class Usage:
    """What has been used since the processes began."""

    cpu: dict[str, float]
    """CPU-seconds by part, in user and in system mode."""
    memory: dict[str, int]
    """Bytes by part now; what processes share is split among them (PSS)."""
    wal_bytes: int
    """PostgreSQL's write-ahead log: what is made durable."""
    log_bytes: int
    """Kafka's log segments, compressed as they lie on disk."""
    network_bytes: int
    """What was sent over the loopback interface, TCP and IP headers included: everything talks over it."""


def usage(stack: Stack) -> Usage:
    """Measure the parts of ``stack`` and this process, the load generator."""
    cpu: dict[str, float] = {}
    for name, process in _processes(stack):
        # PostgreSQL's sessions that have ended are in the times of their parent's children.
        cpu[name] = cpu.get(name, 0.0) + sum(map(_cpu, _family(process))) + _reaped(process)
    cpu[LOAD] = _cpu(psutil.Process())
    return Usage(cpu, memory(stack), _wal_bytes(stack), _log_bytes(stack.kafka.data), _network_bytes())


def memory(stack: Stack) -> dict[str, int]:
    """Measure the memory of the parts of ``stack`` and of this process, in bytes (PSS)."""
    used: dict[str, int] = {}
    for name, process in _processes(stack):
        used[name] = used.get(name, 0) + sum(map(_memory, _family(process)))
    used[LOAD] = _memory(psutil.Process())
    return used


def services_of(cpu: dict[str, float]) -> float:
    """Return what the four services used together."""
    return sum(cpu[name] for name in NAMES)


def _processes(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    """Yield what runs, with the part's name; replicas of a service count together."""
    for part in stack.parts:
        pid = part.pid
        if pid is not None:
            with suppress(psutil.NoSuchProcess):
                yield part.name.removesuffix("-2"), psutil.Process(pid)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _reaped(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.children_user + times.children_system)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def _wal_bytes(stack: Stack) -> int:
    with psycopg.connect(stack.service("order_svc").dsn) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    return int(row[0]) if row else 0


def _network_bytes() -> int:
    counters = psutil.net_io_counters(pernic=True)
    return sum(counters[name].bytes_sent for name in _LOOPBACK if name in counters)


def _log_bytes(folder: Path) -> int:
    return sum(segment.stat().st_size for segment in folder.glob("*/*.log"))
