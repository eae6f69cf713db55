"""The list of reasons for dead letters is complete: their counters begin at zero, and the docs explain each."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from devstack.services import NAMES
from sagakit.dead_letters.letter import HANDLER_ERROR, REASONS
from tools.paths import ROOT

PAGE = ROOT / "docs" / "architecture" / "dead-letters.md"
FOLDERS = ("sagakit", *NAMES)


def given_reasons(path: Path) -> Iterator[str]:
    """Yield the reason of each `Poison` that a file makes; one that is handed on, ``other.reason``, is no new one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Poison", "Repeated"}:
            reason = node.args[0]
            if isinstance(reason, ast.Constant):
                yield str(reason.value)
            else:
                assert isinstance(reason, ast.Attribute), f"{path}:{node.lineno}: a reason is said outright"
                assert reason.attr == "reason", f"{path}:{node.lineno}: a reason is said outright"


def given() -> set[str]:
    files = chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS)
    return {HANDLER_ERROR}.union(*map(given_reasons, files))


def test_every_poison_of_the_code_has_a_listed_reason() -> None:
    assert given() - set(REASONS) == set(), "add these to sagakit.dead_letters.letter.REASONS"


def test_every_reason_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z_]+)`", PAGE.read_text()))
    assert given() - explained == set(), f"explain these in {PAGE}"
