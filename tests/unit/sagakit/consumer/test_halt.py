"""The halt: it is reported, tried again with backoff, and calls for a restart only where that might help."""

import time

import pytest

from sagakit.consumer.halt import Halt


def test_it_is_tried_again_after_a_second_then_twice_as_long_and_at_most_half_a_minute() -> None:
    halt = Halt()
    assert [halt.failed(ValueError("a bug")) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    halt.worked()
    assert halt.failed(ValueError("another")) == 1


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    at = time.monotonic() + seconds
    monkeypatch.setattr("sagakit.consumer.halt.time.monotonic", lambda: at)


def test_a_process_that_has_worked_and_is_halted_for_minutes_calls_for_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    halt = Halt()
    halt.worked()
    halt.failed(ValueError("a bug"))
    assert not halt.calls_for_restart
    later(monkeypatch, 301)
    assert halt.calls_for_restart
    halt.worked()
    assert not halt.calls_for_restart


def test_a_process_that_never_worked_calls_for_none_as_the_next_would_do_no_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    halt = Halt()
    halt.failed(ValueError("a bug"))
    later(monkeypatch, 10_000)
    assert not halt.calls_for_restart


def test_a_process_that_works_calls_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    halt = Halt()
    halt.worked()
    later(monkeypatch, 10_000)
    assert not halt.calls_for_restart
