"""The SQL statements of a transaction that is recorded, as its pipelines note them: when each was sent and answered.

What a statement's parameters are is never noted: they may be private.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from sagakit.tracing.spans import Attributes

_SPACE = re.compile(r"\s+")
_WRITES = re.compile(r"\b(INSERT) INTO (\w+)|\b(DELETE) FROM (\w+)|(?<!FOR )(?<!KEY )(?<!DO )\b(UPDATE) (\w+)")
_READS = re.compile(r"\b(?:FROM|JOIN) (\w+)\b(?! ?\()")
"""A name with a parenthesis behind it is a function's."""
_NAMED_HERE = re.compile(r"\b(\w+) AS (?:MATERIALIZED )?\(")
_LONGEST_SUMMARY = 255


class Statement:
    """One statement that was sent."""

    __slots__ = ("answered", "error", "sent", "text")

    def __init__(self, text: bytes) -> None:
        """Note that ``text`` is sent now."""
        self.text = text
        self.sent = time.time_ns()
        self.answered: int | None = None
        self.error: str | None = None
        """The SQLSTATE of its error, or what else went wrong."""


class Watch:
    """Notes the statements of one pipeline. A server answers them in the order in which they were sent."""

    __slots__ = ("_noted", "_waiting")

    def __init__(self, noted: list[Statement]) -> None:
        """Note them in ``noted``."""
        self._noted = noted
        self._waiting: list[Statement] = []

    def sent(self, text: bytes) -> None:
        """Note that a statement is sent."""
        statement = Statement(text)
        self._noted.append(statement)
        self._waiting.append(statement)

    def answered(self, error: str | None = None) -> None:
        """Note that the first of those that wait is answered, perhaps with an ``error``."""
        statement = self._waiting.pop(0)
        statement.answered, statement.error = time.time_ns(), error


_noting: ContextVar[list[Statement] | None] = ContextVar("statements", default=None)


@contextmanager
def noting() -> Iterator[Sequence[Statement]]:
    """Have the pipelines that are opened in the block note their statements in the list that it gets."""
    noted: list[Statement] = []
    token = _noting.set(noted)
    try:
        yield noted
    finally:
        _noting.reset(token)


def watch() -> Watch | None:
    """Return what a new pipeline notes its statements with; None where nobody records them."""
    noted = _noting.get()
    return None if noted is None else Watch(noted)


@cache
def described(text: bytes) -> tuple[str, Attributes]:
    """Return the name and the attributes of a statement's span."""
    query = _SPACE.sub(" ", text.decode()).strip()
    summary = summary_of(query)
    return summary, {"db.system.name": "postgresql", "db.query.summary": summary, "db.query.text": query}


def summary_of(query: str) -> str:
    """Return what ``query`` does to which tables, such as ``INSERT payments``; reads only where it writes nothing."""
    words = [word for found in _WRITES.findall(query) for word in found if word]
    if not words:
        named = set(_NAMED_HERE.findall(query))
        tables = [table for table in dict.fromkeys(_READS.findall(query)) if table not in named]
        words = [query.partition(" ")[0], *tables]
    return " ".join(words)[:_LONGEST_SUMMARY]
