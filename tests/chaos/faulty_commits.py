"""The crash points around commits, of which a batch may have several."""

import re
import time
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import psycopg
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.batch_reader import BatchReader
from sagakit.postgres.pipeline import Pipeline, Rows
from tests.chaos.faulty_fuse import Fuse, where

_WRITES = re.compile(r"INSERT INTO|DELETE FROM|UPDATE \w+\s+SET")
_OFFSETS = "consumed_offsets"
_LATER = re.compile(r"commit-\d")
_GATHERED_SECONDS = 1.5


def set_in(fuse: Fuse) -> None:
    """Patch the seams, so that each point asks ``fuse`` whether it is to happen."""
    _committing(fuse)
    _gathering(fuse)


def _committing(fuse: Fuse) -> None:
    """Around a commit that writes: ``before-commit`` all statements are done, ``after-commit`` PostgreSQL has it.

    ``commit-unheard`` lets the commit happen, then breaks the connection before the client hears of it. A batch may
    commit in several parts: its second is ``before-commit-2`` and so on.

    A commit that stores nothing but how far the consumer has come may be of another test's messages, and so has points
    of its own: ``before-store``, ``after-store`` and ``store-unheard``.
    """
    execute, commit = Pipeline.execute, Pipeline.commit
    writing: WeakKeyDictionary[Pipeline, set[bool]] = WeakKeyDictionary()
    """What each writes until it commits: effects (True), how far the consumer has come (False), or both."""
    committed: WeakKeyDictionary[Pipeline, int] = WeakKeyDictionary()
    """How often each has committed effects."""

    def noting(self: Pipeline, query: str, parameters: Mapping[str, object] | None = None) -> Rows:
        if _WRITES.search(query):
            writing.setdefault(self, set()).add(_OFFSETS not in query)
        elif query == "ROLLBACK":
            writing.pop(self, None)
        return execute(self, query, parameters)

    def named(pipeline: Pipeline) -> str:
        if not any(writing.pop(pipeline)):
            return "store"
        committed[pipeline] = number = committed.get(pipeline, 0) + 1
        return f"commit-{number}" if number > 1 else "commit"

    def faulty(self: Pipeline) -> None:
        if self not in writing:
            commit(self)
            return
        what = named(self)
        _before(self, what, fuse)
        commit(self)
        fuse.dies(f"{where()}:after-{what}")

    Pipeline.execute = noting  # type: ignore[method-assign] # that is what a fault build does
    Pipeline.commit = faulty  # type: ignore[method-assign] # the same


def _before(pipeline: Pipeline, what: str, fuse: Fuse) -> None:
    dies, unheard = f"{where()}:before-{what}", f"{where()}:{what}-unheard"
    if fuse.armed not in {dies, unheard}:
        return
    pipeline.execute("SELECT 1").fetchone()  # so that all statements are done
    fuse.dies(dies)
    if fuse.blows(unheard):
        pipeline.execute("BEGIN")  # takes over what was begun without it
        pipeline.execute("COMMIT")
        pipeline.execute("SELECT 1").fetchone()
        pipeline._pg.finish()  # noqa: SLF001 - as a network would
        raise psycopg.OperationalError("server closed the connection unexpectedly")


def _gathering(fuse: Fuse) -> None:
    """Let a batch hold all that comes for a while, where one of its later commits is armed: else it might have one."""
    take = BatchReader.take

    def faulty(self: BatchReader, consumer: KafkaConsumer, wait_seconds: float) -> list[KafkaMessage]:
        found = take(self, consumer, wait_seconds)
        if found and _LATER.search(fuse.armed):
            time.sleep(_GATHERED_SECONDS)
            self._add(found, consumer)
        return found

    BatchReader.take = faulty  # type: ignore[method-assign] # that is what a fault build does
