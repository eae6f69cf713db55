"""``ordersaga --version``, and what a shell needs to complete its lines."""

import os
import re
import signal
import subprocess
import sys
import tomllib

import pytest
from ordersaga.messages import RECORDS

from tests.unit.ordersaga_cli.line import typed
from tools.paths import ROOT

SHELLS = ("bash", "zsh", "fish")
PAGE = (ROOT / "docs" / "command-line.md").read_text()


def test_the_version_is_that_of_the_package_of_the_client_and_of_the_chart() -> None:
    said = typed("--version")
    assert said.code == 0
    version = said.lines[0].removeprefix("ordersaga ")
    for manifest in (ROOT / "pyproject.toml", ROOT / "gen" / "pyproject.toml"):
        assert tomllib.loads(manifest.read_text())["project"]["version"] == version
    assert f"\nversion: {version}\n" in (ROOT / "helm" / "order-saga" / "Chart.yaml").read_text()


def test_the_version_names_the_contracts_that_it_speaks() -> None:
    _, apis, records = typed("--version").lines
    assert [name for name in re.findall(r"[\w.]+", apis) if "." in name] == [
        f"ordersaga.{name}.v1" for name in ("order", "product", "delivery", "orchestrator")
    ]
    assert all(record.__name__ in records for record in RECORDS)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_made_for_the_shell_that_the_page_names(shell: str) -> None:
    made = typed("", {"_ORDERSAGA_COMPLETE": f"{shell}_source"})
    assert made.code == 0
    assert f"_ORDERSAGA_COMPLETE={shell}_complete" in made.out
    assert f"_ORDERSAGA_COMPLETE={shell}_source ordersaga" in PAGE


@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        ("ordersaga sa", "sa", ["saga"]),
        ("ordersaga saga re", "re", ["retry"]),
        ("ordersaga order list --stat", "--stat", ["--status"]),
        ("ordersaga order list --status P", "P", ["pending"]),
    ],
)
def test_words_are_completed(line: str, word: str, found: list[str]) -> None:
    bash = {"_ORDERSAGA_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    assert [one.partition(",")[2] for one in typed("", bash).lines] == found
    fish = {"_ORDERSAGA_COMPLETE": "fish_complete", "COMP_WORDS": line, "COMP_CWORD": word}
    assert all(name in typed("", fish).out for name in found)


SLOW = """
import time
from ordersaga_cli import __main__ as line

def slow(name):
    print("slow", flush=True)
    time.sleep(60)

line.import_module = slow
line.main()
"""
"""The command, where to import a part of it takes a minute."""


def test_ctrl_c_at_a_slow_completion_prints_nothing() -> None:
    asked = {"_ORDERSAGA_COMPLETE": "bash_complete", "COMP_WORDS": "ordersaga saga re", "COMP_CWORD": "2"}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW], env={**os.environ, **asked}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"slow\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == (b"", b"")
