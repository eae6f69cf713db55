"""The machine's shape, and the interpreter's: without them no figure can be compared with another."""

import os
import platform
import sys
import sysconfig
from pathlib import Path

import psutil

Shape = dict[str, object]
"""Facts by name."""


def machine() -> Shape:
    """Return the machine's shape."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "processor": names[0] if names else platform.processor(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": interpreter(),
    }


def interpreter() -> Shape:
    """Return how the interpreter was built, as far as it says.

    The arguments of ``configure`` are in ``config_args``. A distribution may optimise all the same, by what it says
    ``make``, and of that nothing is left: then ``profile_guided`` and ``link_time`` are None, not known.
    """
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
        "executable": os.path.realpath(sys.executable),
        "config_args": arguments,
        "cflags": str(sysconfig.get_config_var("PY_CFLAGS") or ""),
        "profile_guided": _configured("--enable-optimizations", arguments),
        "link_time": _configured("--with-lto", arguments),
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    }


def in_a_line(shape: Shape) -> str:
    """Return the shape for people; ``shape`` is what `machine` returned."""
    python = interpreter()
    memory = f"{int(str(shape['memory_bytes'])) / 2**30:.0f} GiB"
    built = {True: "profile-guided", None: "profile-guided or not: it does not say"}[_flag(python["profile_guided"])]
    return (
        f"{shape['cores']} cores of {shape['processor']}, {memory}; {python['implementation']} {python['version']}, "
        f"{python['compiler']}, {built}"
    )


def _configured(option: str, arguments: str) -> bool | None:
    return True if option in arguments else None


def _flag(value: object) -> bool | None:
    return True if value else None


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
