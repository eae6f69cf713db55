"""The pool: connections are made when they are needed, shared, and made anew where they do not work any more."""

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from sagakit.errors import Unavailable
from sagakit.postgres import pool
from sagakit.postgres.pool import Pool
from tests.support.series import Since


class Connection:
    """A session whose server says nothing, until it ends the connection."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._end, self._server = os.pipe()
        self.connection = SimpleNamespace(closed=False, fileno=lambda: self._end)

    def check(self) -> None:
        if self._server < 0:
            raise psycopg.OperationalError("the connection is lost")

    def end(self) -> None:
        os.close(self._server)
        self._server = -1

    def close(self) -> None:
        if not self.connection.closed:
            self.connection.closed = True
            os.close(self._end)
            if self._server >= 0:
                self.end()


class Server:
    """Numbers its connections."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.away = False

    def connect(self) -> Any:
        if self.away:
            raise psycopg.OperationalError("away")
        self.made.append(Connection(len(self.made) + 1))
        return self.made[-1]

    @property
    def open(self) -> int:
        return sum(not one.connection.closed for one in self.made)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    for one in server.made:
        one.close()


@pytest.fixture
def shared(server: Server, monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(pool, "_WAIT_SECONDS", 0.1)
    return Pool(server.connect, 2)


def taken(shared: Pool) -> int:
    with shared.session() as session:
        number: int = session.number  # type: ignore[attr-defined] # it is the fake's
        return number


def take_two(shared: Pool) -> set[int]:
    with shared.session() as one:
        return {one.number, taken(shared)}  # type: ignore[attr-defined] # it is the fake's


def test_a_connection_is_made_when_it_is_needed_and_used_again(server: Server, shared: Pool) -> None:
    assert not server.made
    assert [taken(shared) for _ in range(3)] == [1, 1, 1]
    assert take_two(shared) == {1, 2}


def test_the_one_used_last_is_taken_first(shared: Pool) -> None:
    with shared.session():
        assert taken(shared) == 2
    assert taken(shared) == 1


def test_whoever_comes_when_all_are_in_use_waits_for_a_moment_and_is_told(shared: Pool) -> None:
    with shared.session(), shared.session():
        began = time.monotonic()
        with pytest.raises(Unavailable, match="in use"):
            taken(shared)
        assert time.monotonic() - began >= 0.1
    assert take_two(shared) == {1, 2}


def test_a_failure_to_connect_is_told_at_once_and_takes_no_room(server: Server, shared: Pool) -> None:
    server.away = True
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError, match="away"):
            taken(shared)
    server.away = False
    assert take_two(shared) == {1, 2}


def test_a_connection_that_its_user_has_closed_is_not_given_out_again(shared: Pool) -> None:
    with shared.session() as session:
        session.close()
    assert taken(shared) == 2


def test_where_the_server_has_ended_one_all_are_made_anew(server: Server, shared: Pool) -> None:
    assert take_two(shared) == {1, 2}
    server.made[0].end()
    assert take_two(shared) == {3, 4}
    assert server.open == 2


def test_connections_are_made_anew_when_that_is_called_for_those_in_use_as_well(server: Server, shared: Pool) -> None:
    with shared.session():
        taken(shared)
        shared.connect_anew()
    assert take_two(shared) == {3, 4}
    assert server.open == 2


def test_one_that_was_idle_for_a_while_is_asked_whether_it_works(
    server: Server, shared: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_FRESH_SECONDS", 0.0)
    taken(shared)
    monkeypatch.setattr(server.made[0], "_server", -1)  # gone without a word
    assert taken(shared) == 2


def test_closing_closes_what_is_idle_now_and_what_is_in_use_later(server: Server, shared: Pool) -> None:
    with shared.session():
        taken(shared)
        shared.close()
        assert server.open == 1
    assert server.open == 0


def test_connections_in_use_are_shown_until_they_are_given_back(server: Server) -> None:
    since, pool = Since(), Pool(server.connect, 2)

    def in_use() -> float:
        return since("sagakit_database_connections_in_use")

    with pool.session():
        assert in_use() == 1
        with pool.session():
            assert in_use() == 2
        assert in_use() == 1
    assert in_use() == 0
    pool.connect_anew()
    server.away = True
    with pytest.raises(psycopg.OperationalError), pool.session():
        pass
    assert in_use() == 0
    pool.close()
