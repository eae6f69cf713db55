"""What processes use: CPU, memory, and what they write."""

from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from devstack.services import NAMES
from devstack.stack import Stack

LOAD = "load generator"


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


def usage(stack: Stack) -> Usage:
    """Measure the parts of ``stack`` and this process, the load generator."""
    parts = {part.name: part.pid for part in stack.parts if part.pid is not None}
    cpu: dict[str, float] = {}
    memory: dict[str, int] = {}
    for part, pid in parts.items():
        name = part.removesuffix("-2")  # replicas of a service count together
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        # PostgreSQL's sessions that have ended are in the times of their parent's children.
        cpu[name] = cpu.get(name, 0.0) + sum(map(_cpu, family)) + _reaped(process)
        memory[name] = memory.get(name, 0) + sum(map(_memory, family))
    cpu[LOAD], memory[LOAD] = _cpu(psutil.Process()), _memory(psutil.Process())
    return Usage(cpu, memory, _wal_bytes(stack), _log_bytes(stack.kafka.data))


def services_of(cpu: dict[str, float]) -> float:
    """Return what the four services used together."""
    return sum(cpu[name] for name in NAMES)


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


def _log_bytes(folder: Path) -> int:
    return sum(segment.stat().st_size for segment in folder.glob("*/*.log"))
