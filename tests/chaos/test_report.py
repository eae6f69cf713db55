"""The report of a round: what a person needs to look into a violation, without the databases, which are gone then."""

from collections import Counter
from pathlib import Path

import pytest

from devstack.layout import ROOT
from tests.chaos.checker import check
from tests.chaos.evidence import Outcome, SagaCall, WentBack
from tests.chaos.report import report
from tests.chaos.round import Result, Settings
from tests.chaos.story import Story, good
from tools import git


def told(story: Story, tmp_path: Path, *, secure: bool = False) -> str:
    settings, violations = Settings(seed=7, duration=60, secure=secure), check(story.evidence)
    return report(Result(settings, story.evidence, violations, [], 0.1, Counter(), [], Counter()), tmp_path)


@pytest.fixture
def spoilt(tmp_path: Path) -> str:
    """The report on a run in which order 3 is cancelled for a reason that nothing explains."""
    story = good()
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 3, Outcome.REFUSED, "UNAVAILABLE", began=4.0, ended=4.1))
    story.evidence.went_back.append(WentBack("delivery_svc", 1.0, 2.0))
    story.rows.deliveries.pop(3)
    return told(story, tmp_path)


def test_an_order_that_a_violation_names_is_shown_with_its_calls_messages_history_and_rows(spoilt: str) -> None:
    _, _, chapter = spoilt.partition("### Order 3\n")
    shown = chapter.partition("\n```\n")[0]
    for what in ("call    CreateCall(", "call    SagaCall(name='CancelSaga'", "message order-created-0-2 OrderCreated"):
        assert what in shown
    assert "caused by " in shown
    assert "history SagaEvent(order_id=3, version=1, type='STARTED'" in shown
    assert "stored  OrderRow(order_id=3" in shown
    assert "stored  SagaRow(order_id=3" in shown
    assert "the database of delivery_svc is as it was at 1.00" in shown


def test_what_happened_to_it_is_shown_by_time(spoilt: str) -> None:
    shown = spoilt.partition("### Order 3\n")[2].partition("\n```\n")[0].splitlines()[2:]
    times = [float(line.split()[0]) for line in shown if not line.startswith("   stored")]
    assert times
    assert times == sorted(times)


def test_orders_that_no_violation_names_are_left_out(spoilt: str, tmp_path: Path) -> None:
    assert spoilt.count("### Order ") == 1
    assert "### Order " not in told(good(), tmp_path)


def test_the_report_says_of_what_commit_when_and_where_it_is(tmp_path: Path) -> None:
    text = told(good(), tmp_path)
    commit = git.run(ROOT, "rev-parse", "--short", "HEAD").decode().strip()
    assert f"- commit {commit}" in text
    assert "1970-01-01 00:00:00 UTC" in text
    assert " cores of " in text


def test_the_report_says_how_the_same_is_run_again(tmp_path: Path) -> None:
    again = "make chaos DURATION=60 SEED=7 REPLICAS=1"
    assert f"again: `{again}`\n" in told(good(), tmp_path)
    assert f"again: `{again} SECURE=1`\n" in told(good(), tmp_path, secure=True)
