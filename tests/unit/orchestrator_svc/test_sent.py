"""What a watch remembers of what it has sent: enough to repeat nothing, and no more than is under way."""

from datetime import UTC, datetime

import pytest

from orchestrator_svc import api
from orchestrator_svc.api import Sent
from sagakit.saga.instance import Instance, Status
from tests.unit.orchestrator_svc.messages import CREATED

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def saga(saga_id: int, version: int, *, ended: bool = False) -> Instance:
    return Instance(
        saga_id, CREATED, Status.COMPLETED if ended else Status.RUNNING, None if ended else "decrease-product", None,
        1, None, None, stuck=False, last_error=None, version=version, create_time=NOW, update_time=NOW,
    )  # fmt: skip


def test_the_version_that_was_sent_last_is_known_under_way_and_when_it_has_ended() -> None:
    sent = Sent()
    assert sent.version(7) is None
    sent.note(saga(7, 1), passes=True)
    assert (sent.version(7), list(sent.under_way)) == (1, [7])
    sent.note(saga(7, 2, ended=True), passes=True)
    assert (sent.version(7), list(sent.under_way)) == (2, [])


def test_what_does_not_pass_the_filter_is_forgotten() -> None:
    sent = Sent()
    for ended in (False, True):
        sent.note(saga(7, 1, ended=ended), passes=True)
        sent.note(saga(7, 2, ended=ended), passes=False)
        assert (sent.version(7), list(sent.under_way)) == (None, [])


def test_of_those_that_have_ended_the_last_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_MOST_ENDED", 10)
    sent = Sent()
    for number in range(1, 101):
        sent.note(saga(number, 1), passes=True)
        sent.note(saga(number, 2, ended=True), passes=True)
    assert [number for number in range(1, 101) if sent.version(number)] == list(range(91, 101))
    assert list(sent.under_way) == []
