"""Two lanes run every test once, and what shares a stack stays in one of them, in its order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.lanes import STACK, unit

NOTES = """
import os
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number: int) -> None:
    with Path("ran").open("a") as ran:
        print(__file__, number, os.environ["PYTEST_XDIST_WORKER"], file=ran)
"""


@pytest.mark.parametrize(
    ("test", "of"),
    [
        ("tests/integration/test_outbox.py::test_it[one/two]", STACK),
        ("tests/e2e/test_orders.py::test_it", STACK),
        ("tests/clients/test_ghz.py::test_it", STACK),
        ("tests/unit/bench/test_plots.py::test_it", "tests/unit/bench/test_plots.py"),
        ("tests/chaos/test_crash_points.py::test_it[a]", "tests/chaos/test_crash_points.py"),
        ("tests/chaos/test_short_round.py::test_it[1]", "tests/chaos/test_short_round.py::test_it[1]"),
        ("tests/upgrade/test_versions.py::test_it", "tests/upgrade"),
    ],
)
def test_what_stays_together(test: str, of: str) -> None:
    assert unit(test) == of


def test_each_test_runs_once_and_a_shared_stack_has_one_lane(tmp_path: Path) -> None:
    for name in ("unit/test_a.py", "unit/test_b.py", "integration/test_c.py", "e2e/test_d.py", "chaos/test_e.py"):
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(NOTES)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests/unit tests/integration tests/e2e tests/chaos\n")
    command = [sys.executable, "-m", "pytest", "-p", "tools.lanes", "-p", "no:cacheprovider", "-n", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r"^=+ 20 passed in [0-9.]+s", done.stdout.splitlines()[-1]), done.stdout + done.stderr
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert len(ran) == 20
    on_the_stack = [one for one in ran if "integration" in one[0] or "e2e" in one[0]]
    (lane,) = {lane for _, _, lane in on_the_stack}
    assert [one for one in ran if one[2] == lane][: len(on_the_stack)] == on_the_stack  # it begins with them
    assert [(Path(name).name, int(number)) for name, number, _ in on_the_stack] == [
        (name, number) for name in ("test_c.py", "test_d.py") for number in range(4)
    ]
