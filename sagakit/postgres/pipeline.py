"""Pipelines: the statements of a transaction are gathered, and sent together once a result is wanted.

So a batch that reads once and then writes costs two round trips, its commit included. One that reads only what it wrote
costs a single round trip. The server takes everything up to a Sync message as one transaction, and commits it at that
message, so BEGIN and COMMIT need not be said. Each statement is prepared once on its connection.

psycopg's own pipeline does the same at twice the CPU: it talks to the server at every statement, and makes a cursor for
each. This one stands on psycopg's wrapper of libpq and on its adaptation of types.

Protocol: https://www.postgresql.org/docs/current/libpq-pipeline-mode.html and, of transactions in it,
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
"""

import re
import select
import time
from collections import deque, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from sagakit.families import Family, family_of
from sagakit.tracing import statements

T = TypeVar("T")
Row: TypeAlias = Any
"""A named tuple of the columns that a statement selects."""
Deferred: TypeAlias = Callable[[], T]
"""A result that a store has asked for and not read. Called after the commit, it costs no round trip of its own."""

_PARAMETER = re.compile(r"%\((\w+)\)s")
_NUMBERS = count()
_READ_ONLY = "25006"
_SET_AT_LOGIN = (_READ_ONLY, "3F", "42")
"""How the SQLSTATEs of errors begin that may come from what a session got at its login: its search path, its role, or
that it is read-only. Once that is mended, only new sessions see it."""
_YOUNG_SECONDS = 1.0
"""A session this young has the latest settings, so another login would not help."""


class Statement(NamedTuple):
    """An SQL statement as the server gets it."""

    name: bytes
    text: bytes
    parameters: tuple[str, ...]
    """The names of ``$1``, ``$2`` and so on."""


class Rows:
    """What a statement selects. To read it before the commit costs a round trip."""

    def __init__(self, pipeline: "Pipeline") -> None:
        """Wait for a statement of ``pipeline``."""
        self._pipeline = pipeline
        self._rows: list[Row] | None = None

    @property
    def there(self) -> bool:
        """Whether the server has answered."""
        return self._rows is not None

    def fetchall(self) -> list[Row]:
        """Return every row.

        Raises:
            psycopg.Error: this statement, or one before it in its transaction, has failed.
        """
        if self._rows is None:
            self._pipeline.receive(self)
        return self._rows or []

    def fetchone(self) -> Row | None:
        """Return the first row, or None; raises what `fetchall` does."""
        return next(iter(self), None)

    def __iter__(self) -> Iterator[Row]:
        """Return an iterator of the rows; raises what `fetchall` does."""
        return iter(self.fetchall())

    def arrived(self, rows: list[Row]) -> None:
        """Take the server's answer."""
        self._rows = rows


class Transaction(Protocol):
    """An open transaction, as a store is given it. A store cannot commit: whoever opened the transaction does."""

    def execute(self, query: str, parameters: Mapping[str, object] | None = None) -> Rows:
        """Add a statement; see `Pipeline.execute`."""
        ...


class Pipeline:
    """Transactions one after the other on one connection: each commit ends one and begins the next.

    See `Session.pipeline`.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", prepared: set[bytes]) -> None:
        """Run statements on ``connection``, which is in pipeline mode and has ``prepared`` some before, by name."""
        self._pg = connection.pgconn
        self._encoding = connection.info.encoding
        self._prepared = prepared
        self._adapt = Transformer(connection)
        self._sent: deque[Rows | Statement | None] = deque()
        """What the server has yet to answer: a statement, its preparation, or a commit (None)."""
        self._gathered = False
        """Whether the server lacks a statement, or withholds results until they are flushed."""
        self._begun = False
        """Whether there is something to commit."""
        self._failure: psycopg.Error | None = None
        self._watch = statements.watch()
        self.committed = False
        """Whether one of its transactions may be committed already."""

    def execute(self, query: str, parameters: Mapping[str, object] | None = None) -> Rows:
        """Add a statement, in which ``%(name)s`` stands for the parameter ``name``.

        The server infers their types from the statement. A statement whose rows nobody reads fails at the next one
        that is read, or at the commit.

        Raises:
            psycopg.OperationalError: the connection is lost.
            psycopg.DataError: a parameter cannot be sent to the server.
        """
        statement = _statement(query)
        values = [self._dump(parameters[name]) for name in statement.parameters] if parameters else None
        if statement.name not in self._prepared:
            self._pg.send_prepare(statement.name, statement.text)
            self._prepared.add(statement.name)
            self._sent.append(statement)
        self._pg.send_query_prepared(statement.name, values)
        if self._watch:
            self._watch.sent(statement.text)
        self._gathered = self._begun = True
        rows = Rows(self)
        self._sent.append(rows)
        return rows

    def receive(self, rows: Rows) -> None:
        """Send what was gathered, and wait for ``rows``; raises what `Rows.fetchall` does."""
        if self._gathered:
            self._pg.send_flush_request()
            self._flush()
            self._gathered = False
        while not rows.there:
            if not self._sent:
                raise psycopg.InterfaceError("the statement has failed before, and has no rows")
            self._receive_one()

    def commit(self) -> None:
        """Commit, and wait for every answer; raises the first error of the transaction.

        Rows that nobody has looked at yet have arrived then, without a round trip of their own. What is executed
        afterwards is another transaction.
        """
        if not self._begun:
            return
        self._begun = self._gathered = False
        self._pg.pipeline_sync()
        self._sent.append(None)
        self._flush()
        while self._sent:
            with suppress(psycopg.Error):
                self._receive_one()
            if self._pg.status == ConnStatus.BAD:
                break
        if self._failure:
            raise self._failure
        self.committed = True

    def roll_back(self) -> None:
        """Undo what is not committed, and wait for every answer; raises the first error of the transaction."""
        if not self._begun:
            return
        self.execute("BEGIN")  # it takes over what began implicitly, so that ROLLBACK gives no warning
        self.execute("ROLLBACK")
        self.commit()

    def _dump(self, value: object) -> Any:  # noqa: ANN401 - psycopg's Buffer
        return None if value is None else self._adapt.get_dumper(value, PyFormat.TEXT).dump(value)

    def _flush(self) -> None:
        while self._pg.flush():
            (_, ready), *_ = self._poll(select.POLLIN | select.POLLOUT)
            if ready & select.POLLIN:  # else each side might wait for the other to read
                self._pg.consume_input()

    def _receive_one(self) -> None:
        try:
            result, waiting = self._result(), self._sent[0]
            failed = result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.PIPELINE_SYNC}
            if not (failed and waiting is None):  # else the commit has failed, and the pipeline's end is yet to come
                self._sent.popleft()
            error = self._error(result, at_commit=waiting is None) if failed else None
            if self._watch and isinstance(waiting, Rows):
                self._watch.answered((error.sqlstate or type(error).__name__) if error else None)
            if error:
                if isinstance(waiting, Statement):
                    self._prepared.discard(waiting.name)
                raise error
            if isinstance(waiting, Rows):
                waiting.arrived(self._load(result))
        except psycopg.Error as error:
            self._failure = self._failure or error
            raise

    def _result(self) -> PGresult:
        while self._pg.is_busy():
            self._poll(select.POLLIN)
            self._pg.consume_input()
        result = self._pg.get_result()
        if result is None:
            self._sent.clear()
            raise psycopg.OperationalError("the connection is lost")
        if result.status != ExecStatus.PIPELINE_SYNC:
            self._pg.get_result()  # the end of this statement's results
        return result

    def _poll(self, events: int) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._pg.socket, events)
        return poll.poll()

    def _error(self, result: PGresult, *, at_commit: bool) -> psycopg.Error:
        if result.status == ExecStatus.PIPELINE_ABORTED:
            return psycopg.errors.PipelineAborted("a statement before this one has failed")
        error = error_from_result(result, encoding=self._encoding)
        if error.diag.sqlstate is None:
            return psycopg.OperationalError(self._pg.get_error_message(self._encoding))
        error.args = (error.diag.message_primary or "",)  # the details repeat whole rows, and errors are logged
        if at_commit and family_of(error) is Family.STALE:  # it may have committed, and must not simply be run again
            return psycopg.OperationalError(str(error))
        return error

    def _load(self, result: PGresult) -> list[Row]:
        if not result.ntuples:
            return []
        self._adapt.set_pgresult(result)
        return self._adapt.load_rows(0, result.ntuples, _row(tuple(map(result.fname, range(result.nfields)))))


class Session:
    """A connection, and the statements that are prepared on it. For one thread at a time."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """Take over ``connection``, which is in autocommit mode."""
        self.connection = connection
        self._prepared: set[bytes] = set()
        self._made = time.monotonic()

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        """Open a pipeline. What is not committed before is committed at the end of the block, or undone if it raises.

        Raises:
            psycopg.OperationalError: the connection is lost, and closed. It may have committed all the same.
        """
        pg = self.connection.pgconn
        pg.enter_pipeline_mode()
        pipeline = Pipeline(self.connection, self._prepared)
        try:
            try:
                yield pipeline
            except BaseException:
                with suppress(psycopg.Error):  # it has the same cause as the error that is being raised
                    pipeline.roll_back()
                raise
            pipeline.commit()
        except psycopg.Error as error:
            # A new connection has nothing stale prepared on it, and may reach the server that takes writes.
            if family_of(error) is Family.STALE or self._may_be_outdated(error):
                self.connection.close()
            raise
        finally:
            self._leave_pipeline()

    def _may_be_outdated(self, error: psycopg.Error) -> bool:
        old = time.monotonic() - self._made >= _YOUNG_SECONDS
        return (error.sqlstate or "").startswith(_SET_AT_LOGIN) and (old or error.sqlstate == _READ_ONLY)

    def check(self) -> None:
        """Ask the server whether the connection works; raises psycopg.OperationalError where it does not."""
        with self.pipeline() as pipeline:
            pipeline.execute("SELECT 1")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _leave_pipeline(self) -> None:
        try:
            self.connection.pgconn.exit_pipeline_mode()
        except psycopg.Error:  # it is lost, or was left in the middle of something
            self.connection.close()


@cache
def _statement(query: str) -> Statement:
    names = tuple(dict.fromkeys(_PARAMETER.findall(query)))
    text = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", query)
    return Statement(b"s%d" % next(_NUMBERS), text.encode(), names)


@cache
def _row(names: tuple[bytes | None, ...]) -> Callable[[Sequence[Any]], Row]:
    make: Callable[[Sequence[Any]], Row] = namedtuple(  # type: ignore[attr-defined] # noqa: PYI024
        "Row", [(name or b"").decode() for name in names], rename=True
    )._make
    return make
