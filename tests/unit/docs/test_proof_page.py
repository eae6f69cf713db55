"""The page of the proof names what breaks each invariant on purpose, and all of that is there."""

import ast
import re
from collections import defaultdict

from tests.chaos.checker import INVARIANTS
from tests.mutants.catalogue import MUTANTS
from tools.paths import ROOT

CHAOS = ROOT / "tests" / "chaos"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = {
    int(number): [set(re.findall("`([^`]+)`", cell)) for cell in cells]
    for number, *cells in ROW.findall((ROOT / "docs" / "architecture" / "proof.md").read_text())
}
"""By invariant: the fault builds, the small wrong changes and the made-up histories that its row names."""


def fault_builds() -> dict[int, set[str]]:
    """By invariant: the mutants that a test tries out against it."""
    text, found = (CHAOS / "test_mutants.py").read_text(), defaultdict[int, set[str]](set)
    for test in ast.parse(text).body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            whole = "\n".join(map(ast.unparse, [*test.decorator_list, test]))
            numbers = re.findall(r"invariant=(\d+)|must_violate\((\d+)", whole)
            mutants = re.findall(r"with_and_without\('([a-z-]+)'|bench\.(?:begin|crashes)\('\w+', '([a-z-]+)'", whole)
            for one, other in numbers:
                found[int(one or other)] |= {decorated or begun for decorated, begun in mutants}
    return found


def test_each_invariant_has_its_row() -> None:
    assert list(ROWS) == list(INVARIANTS)


def test_the_fault_builds_are_those_that_are_tried_out_against_the_invariant() -> None:
    assert {number: builds for number, (builds, _, _) in ROWS.items() if builds} == fault_builds()


def test_the_small_wrong_changes_are_there() -> None:
    assert {name for _, changes, _ in ROWS.values() for name in changes} <= set(MUTANTS)


def test_each_invariant_has_a_made_up_history_that_is_there() -> None:
    there = {
        node.name
        for path in CHAOS.glob("test_checker*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {number: names - there for number, (_, _, names) in ROWS.items() if not names or names - there} == {}
