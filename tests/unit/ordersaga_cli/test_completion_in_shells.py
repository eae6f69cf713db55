"""The Tab key in real shells, after the lines that docs/command-line.md gives for them.

Where a shell is not installed its test is skipped by name; `.ci/run` installs them, and fails on a skip.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.terminal import at_a_terminal
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "command-line.md").read_text()
STARTS = {
    "bash": (["--norc", "--noprofile"], ""),
    "zsh": (["-f"], "autoload -Uz compinit && compinit -u -D"),
    "fish": (["--no-config"], ""),
}
"""How each is started so that it reads nobody's files, and what the page presupposes."""
LINE_SECONDS = 60


def line_for(shell: str) -> str:
    """Return the line that the page gives for ``shell``."""
    (found,) = re.findall(rf"^\| {shell}[^|]*\| `((?:[^`])+)`", PAGE, re.MULTILINE)
    return str(found).replace(r"\|", "|")


@pytest.mark.parametrize("shell", STARTS)
def test_the_tab_key_completes_commands(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    options, before = STARTS[shell]
    own = {
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }
    with at_a_terminal([program, *options, "-i"], own) as terminal:
        for line in filter(None, (before, line_for(shell), "echo rea''dy")):
            terminal.type(f"{line}\n")
        terminal.until("ready", LINE_SECONDS)
        terminal.type("ordersaga sag\t")
        terminal.type("lis\t")
        terminal.type("--help\n")
        # Neither `sag` nor `lis` is a command: it is the whole words that were run.
        terminal.until("Usage: ordersaga saga list", LINE_SECONDS)
