"""How the start of a stack is told where nobody watches a terminal."""

from io import StringIO

import pytest
from rich.console import Console

from devstack.progress import Board


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [0.0]
    monkeypatch.setattr("devstack.progress.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def log() -> StringIO:
    return StringIO()


@pytest.fixture
def board(now: list[float], log: StringIO) -> Board:
    assert now == [0.0]
    return Board(["Kafka", "registry"], Console(file=log, width=100))


def test_a_download_is_told_again_every_ten_seconds(board: Board, now: list[float], log: StringIO) -> None:
    for second in range(26):
        now[0] = float(second)
        board.tell("Kafka", f"downloading, {second} of 45 MB")
    now[0] = 26.0
    board.tell("Kafka", "starting")
    assert [[line.split()[0], *line.split()[3:]] for line in log.getvalue().splitlines()] == [
        ["0.0", "downloading,", "0", "of", "45", "MB"],
        ["10.0", "downloading,", "10", "of", "45", "MB"],
        ["20.0", "downloading,", "20", "of", "45", "MB"],
        ["26.0", "starting"],
    ]


def test_what_is_told_twice_stands_there_once(board: Board, log: StringIO) -> None:
    for _ in range(2):
        board.tell("Kafka", "starting")
        board.tell("registry", "starting")
    assert log.getvalue().count("starting") == 2


def test_a_part_that_another_command_has_started_meanwhile_is_shown_too(board: Board, log: StringIO) -> None:
    board.tell("zipkin", "ready")
    assert log.getvalue().split()[2:] == ["zipkin", "ready"]
