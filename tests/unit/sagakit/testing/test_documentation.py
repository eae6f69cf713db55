"""docs/testing-your-saga.md does what it says, read from its first block to its last in an empty folder."""

import os
import re
import subprocess
from pathlib import Path

from tests.support.kit_wheel import built, lay_beside
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "testing-your-saga.md").read_text()
BLOCKS = re.findall(r"^```(sh|python|text)(?: title=(\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def shell(folder: Path, line: str, beside: Path) -> str:
    """Run a line as the page has it; what pip would fetch for it lies ``beside`` instead."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env = {**clean, "PIP_NO_INDEX": "1", "PYTHONPATH": str(beside)}
    command = ["sh", "-c", line.replace(" pytest\n", "\n")]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=100)
    return done.stdout + done.stderr


def test_the_page_is_true_from_its_first_block_to_its_last(tmp_path: Path) -> None:
    reader, beside = tmp_path / "reader", tmp_path / "beside"
    beside.mkdir()
    built(reader)
    ran = []
    for kind, title, block in BLOCKS:
        if kind == "python":
            with (reader / title).open("a") as file:
                file.write("\n\n" + block)
        elif kind == "text":
            failed = shell(reader, "env/bin/python -m pytest -q test_failing.py", beside)
            shown = [line.removeprefix("E").strip() for line in failed.splitlines() if line.startswith("E ")]
            for line in block.splitlines():
                assert any(line.strip() in one for one in shown), failed
            (reader / "test_failing.py").unlink()
        else:
            wanted = ["pytest", "sagakit[testing]"] if (reader / "test_in_memory.py").exists() else ["pytest"]
            ran.append(shell(reader, block, lay_beside(beside, *wanted)))
            assert "error" not in ran[-1].lower(), ran[-1]
    assert len(ran) == 3
    assert ran[1].splitlines()[-1].startswith("2 passed"), ran[1]
    assert " 16 passed" in f" {ran[2].splitlines()[-1]}", ran[2]
