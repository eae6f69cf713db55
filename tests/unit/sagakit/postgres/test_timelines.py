"""A database whose history may not be read does without, in each of its transactions."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import psycopg

from sagakit.postgres.pipeline import Rows, Session, Transaction
from sagakit.postgres.timelines import Timelines


class Forbidding:
    """A session, and its transactions, in which the history may not be read; ``meanwhile`` something else happens."""

    def __init__(self, meanwhile: Any = lambda: None) -> None:
        self._meanwhile = meanwhile

    @contextmanager
    def pipeline(self) -> Iterator[Transaction]:
        yield self

    def execute(self, _: str, __: Mapping[str, object] | None = None) -> Rows:
        self._meanwhile()
        raise psycopg.errors.InsufficientPrivilege("permission denied for function pg_control_system")


def test_a_look_beside_a_new_connection_does_not_fail() -> None:
    timelines = Timelines()
    timelines.begin(cast("Session", Forbidding()))
    looks: list[Future[None]] = []
    with ThreadPoolExecutor(1) as other:

        def look() -> None:
            looks.append(other.submit(timelines.look, Forbidding()))
            time.sleep(0.2)  # it has begun by then

        timelines.begin(cast("Session", Forbidding(look)))
    assert [one.exception() for one in looks] == [None]
    assert timelines.line == ""
