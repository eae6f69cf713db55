"""The script by which kubelet asks whether PostgreSQL is alive, with programs in the place of PostgreSQL's."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tools.chart_readme import CHART

SCRIPT = (CHART / "files" / "postgres_alive.sh").read_text()


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A folder with what the script finds in its pod: a certificate that nobody may write, and the programs."""
    for name in ("tls", "tmp", "bin"):
        (tmp_path / name).mkdir()
    program(tmp_path, "pg_isready", "exit 0")
    program(tmp_path, "psql", f"echo told >>{tmp_path}/said")
    renew(tmp_path, "first")
    return tmp_path


def program(pod: Path, name: str, does: str) -> None:
    (pod / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
    (pod / "bin" / name).chmod(0o755)


def renew(pod: Path, certificate: str) -> None:
    file = pod / "tls" / "tls.crt"
    file.unlink(missing_ok=True)
    file.write_text(certificate)
    file.chmod(0o440)


def ask(pod: Path) -> int:
    """Run the script in the pod; return its exit status."""
    script = re.sub(r"/(tls|tmp)/", rf"{pod}/\1/", SCRIPT)
    path = {"PATH": f"{pod}/bin:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", script], env=path, check=False).returncode


def told(pod: Path) -> int:
    said = pod / "said"
    return said.read_text().count("told") if said.exists() else 0


def test_it_is_told_once_of_each_certificate_however_many_there_are(pod: Path) -> None:
    for count, certificate in enumerate(("first", "second", "third"), start=1):
        renew(pod, certificate)
        assert [ask(pod) for _ in range(3)] == [0, 0, 0]
        assert told(pod) == count
        mode = (pod / "tmp" / "served.crt").stat().st_mode
        assert mode & stat.S_IWUSR, "else nobody but root can note the next one"


def test_it_is_alive_though_it_cannot_be_told_and_is_told_later(pod: Path) -> None:
    program(pod, "psql", "exit 1")
    assert ask(pod) == 0
    program(pod, "psql", f"echo told >>{pod}/said")
    assert (ask(pod), told(pod)) == (0, 1)


def test_it_is_not_alive_where_it_does_not_answer(pod: Path) -> None:
    program(pod, "pg_isready", "exit 2")
    assert ask(pod) == 1
