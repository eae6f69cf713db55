"""What is remembered of sagas: the newest that were stored, and nothing of what has ended."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sagakit.orchestrator.database_clock import DatabaseClock
from sagakit.orchestrator.remembered import Remembered
from sagakit.saga.instance import Instance
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import PLANNED

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def instance() -> Instance:
    return Conversation(TRIP_SAGA).hears(PLANNED).instance


def test_a_saga_is_remembered_as_it_was_kept_last(instance: Instance) -> None:
    memory = Remembered()
    memory.keep([instance])
    memory.keep([replace(instance, version=2)])
    assert memory.recall({instance.saga_id, 99}) == {instance.saga_id: replace(instance, version=2)}


def test_what_has_ended_or_has_changed_elsewhere_is_forgotten(instance: Instance) -> None:
    memory = Remembered()
    memory.keep(replace(instance, saga_id=number) for number in (1, 2, 3))
    memory.keep([replace(instance, saga_id=1, step=None)])
    memory.forget([2, 99])
    assert memory.recall({1, 2, 3}).keys() == {3}


def test_those_kept_longest_ago_make_room(instance: Instance) -> None:
    memory = Remembered(most=2)
    for number in (1, 2, 1, 3):
        memory.keep([replace(instance, saga_id=number)])
    assert memory.recall({1, 2, 3}).keys() == {1, 3}


def test_the_other_clock_goes_on_from_what_it_said_until_that_is_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    here = 1000.0
    monkeypatch.setattr("sagakit.orchestrator.database_clock.time.monotonic", lambda: here)
    there = DatabaseClock()
    assert there.now() is None
    there.set(NOW, asked=999.5)
    then = there.now()
    assert then is not None
    assert (then - NOW).total_seconds() == 0.5
    here = 1009.5
    assert there.now() is None


def test_the_other_clock_is_not_taken_from_an_answer_that_was_long_in_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    here = 1000.0
    monkeypatch.setattr("sagakit.orchestrator.database_clock.time.monotonic", lambda: here)
    there = DatabaseClock()
    there.set(NOW, asked=here)
    here = 1006.0
    there.set(NOW + timedelta(seconds=6), asked=1002.0)  # it stood still, and then looked at its clock
    then = there.now()
    assert then is not None
    assert (then - NOW).total_seconds() == 6
