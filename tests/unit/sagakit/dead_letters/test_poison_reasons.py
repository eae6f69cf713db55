"""The lists of reasons for dead letters are complete: their counters begin at zero, and the docs explain each."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

from devstack.services import NAMES
from sagakit.dead_letters.letter import HANDLER_ERROR, REASONS
from tools.paths import ROOT

PAGE = ROOT / "docs" / "architecture" / "dead-letters.md"
POISON = {"Poison", "Repeated", "NotHeardOf"}


def given_reasons(path: Path) -> Iterator[str]:
    """Yield the reason of each `Poison` that a file makes; one that is handed on, ``other.reason``, is no new one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POISON:
            reason = node.args[0]
            if isinstance(reason, ast.Constant):
                yield str(reason.value)
            else:
                assert isinstance(reason, ast.Attribute), f"{path}:{node.lineno}: a reason is said outright"
                assert reason.attr == "reason", f"{path}:{node.lineno}: a reason is said outright"


def given(*folders: str) -> set[str]:
    files = chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders)
    return set(chain.from_iterable(map(given_reasons, files)))


def test_every_poison_of_the_kit_has_a_listed_reason() -> None:
    assert given("sagakit") - set(REASONS) == set(), "add these to sagakit.dead_letters.letter.REASONS"


@pytest.mark.parametrize("service", NAMES)
def test_a_service_lists_the_reasons_that_are_its_own(service: str) -> None:
    listed = getattr(import_module(f"{service}.handlers"), "REASONS", ()) if given(service) else ()
    assert given(service) - set(REASONS) == set(listed), f"name these in REASONS in {service}/handlers.py"


def test_every_reason_is_explained() -> None:
    explained = set(re.findall(r"`([A-Z_]+)`", PAGE.read_text()))
    assert {HANDLER_ERROR, *given("sagakit", *NAMES)} - explained == set(), f"explain these in {PAGE}"
