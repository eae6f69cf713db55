"""Where Go or Node is missing, the clients that need it are left out with a word, but not where nothing may be."""

import os
import subprocess
import sys

from tools.paths import ROOT

NEED_PROGRAMS = ["test_ghz.py", "test_go_client.py", "test_grpcurl.py", "test_node_client.py"]


def collected(path: str, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "tests/clients", "--collect-only", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_developers_run_says_which_clients_it_leaves_out() -> None:
    output = collected("/nowhere")
    assert [name for name in [*NEED_PROGRAMS, "test_buf_curl.py"] if name in output] == ["test_buf_curl.py"]
    assert "clients by go: not tested, because go cannot be found on the PATH" in output
    assert "clients by node: not tested, because node and npm cannot be found on the PATH" in output


def test_a_run_without_skips_leaves_nothing_out() -> None:
    output = collected("/nowhere", "-p", "tools.no_skips")
    assert [name for name in NEED_PROGRAMS if name in output] == NEED_PROGRAMS
