"""The mutants still fit the source, and the outcome of each is reported rightly."""

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import chosen
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import Verdict, judged

ROOT = Path(__file__).resolve().parents[2]
ONE = Mutant("a.py", "wait()", "pass", "tests/unit/test_a.py::test_a")


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_changes_one_place_and_leaves_a_program(name: str) -> None:
    mutant = MUTANTS[name]
    ast.parse(mutant.applied((ROOT / mutant.path).read_text()))


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutants_test_is_there(name: str) -> None:
    path, _, function = MUTANTS[name].test.partition("::")
    tests = [one.name for one in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(one, _FUNCTIONS)]
    assert function in tests


_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def test_those_that_survive_say_why_and_are_few() -> None:
    assert len([mutant for mutant in MUTANTS.values() if mutant.survives]) < len(MUTANTS) / 10


def test_an_unknown_name_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(["--only", "no-such"])
    said = capsys.readouterr().err
    assert "there is no mutant no-such" in said
    assert [name for name in MUTANTS if name not in said] == []


def test_the_names_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        chosen(["--list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(MUTANTS)


@pytest.mark.parametrize("text", ["", "wait() or wait()"])
def test_a_mutant_whose_text_is_gone_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(LookupError, match="not once"):
        ONE.applied(text)


def test_a_mutant_changes_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("begin()\nwait()\n")
    (tmp_path / "b.py").write_text("wait()\n")
    ONE.apply(tmp_path)
    assert [file.read_text() for file in sorted(tmp_path.iterdir())] == ["begin()\npass\n", "wait()\n"]


@pytest.mark.parametrize(
    ("code", "said", "verdict", "test"),
    [
        (0, "1 passed", Verdict.SURVIVED, ONE.test),
        (1, "FAILED tests/unit/test_a.py::test_a[1 b] - a - b\n", Verdict.CAUGHT, "tests/unit/test_a.py::test_a[1 b]"),
        (1, "FAILED tests/unit/test_a.py::test_a\n1 failed\n", Verdict.CAUGHT, "tests/unit/test_a.py::test_a"),
        (1, "ERROR tests/unit/test_a.py::test_a - KeyError\n", Verdict.BROKEN, ONE.test),
        (2, "ERROR tests/unit/test_a.py - SyntaxError\n", Verdict.BROKEN, ONE.test),
        (4, "no such test", Verdict.BROKEN, ONE.test),
        (5, "no tests ran", Verdict.BROKEN, ONE.test),
    ],
)
def test_only_a_test_that_fails_catches_a_mutant(code: int, said: str, verdict: Verdict, test: str) -> None:
    assert judged(code, said, ONE.test, 1.0)[:2] == (verdict, test)
