"""A run with a skipped test fails, unless the test may be skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

FINE = """
def test_passes(): pass

@pytest.mark.xfail(reason="...")
def test_is_expected_to_fail(): assert False

@pytest.mark.may_skip
@pytest.mark.skip(reason="...")
def test_may_be_skipped(): pass
"""
SKIPPED = FINE + "\ndef test_skips_itself(): pytest.skip('no server')\n"
SKIPPED_AS_A_WHOLE = "pytest.importorskip('no_such_module')\n"


@pytest.mark.parametrize(
    ("others", "fails"),
    [("", False), (SKIPPED, True), (SKIPPED_AS_A_WHOLE, True)],
    ids=["fine", "a test is skipped", "a module is skipped"],
)
@pytest.mark.parametrize("lanes", [(), ("-p", "tools.lanes", "-n", "2")], ids=["alone", "in lanes"])
def test_the_exit_status(tmp_path: Path, lanes: tuple[str, ...], others: str, fails: bool) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = may_skip\n")
    (tmp_path / "test_fine.py").write_text(f"import pytest\n{FINE}")
    (tmp_path / "test_others.py").write_text(f"import pytest\n{others}")
    command = [sys.executable, "-m", "pytest", "-p", "tools.no_skips", "-p", "no:cacheprovider", *lanes, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == fails, done.stdout
    assert " in " in done.stdout.splitlines()[-1]
