"""A store never commits: that stands where it happens, in a handler or in the kit. Mypy refuses it in a store."""

import ast
from pathlib import Path

import pytest

from sagakit.postgres.pipeline import Transaction

ROOT = Path(__file__).resolve().parents[2]
KIT = ("orchestrator/store.py", "outbox/table.py", "offsets/stored_offsets.py", "postgres/notifications.py")
STORES = sorted([*ROOT.glob("*_svc/store.py"), *(ROOT / "sagakit" / path for path in KIT)])
COMMITTING = {"commit", "roll_back", "Pipeline", "Session", "Database"}
"""What commits, and what a store could commit by, if it knew of it."""


def named_in(source: str) -> set[str]:
    tree = list(ast.walk(ast.parse(source)))
    names = {one.id for one in tree if isinstance(one, ast.Name)}
    return names | {one.attr for one in tree if isinstance(one, ast.Attribute)}


def test_a_transaction_takes_statements_and_does_nothing_else() -> None:
    assert {name for name in vars(Transaction) if not name.startswith("_")} == {"execute"}


@pytest.mark.parametrize("store", STORES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_store_commits_or_knows_what_does(store: Path) -> None:
    names = named_in(store.read_text())
    assert "Transaction" in names
    assert not names & COMMITTING
