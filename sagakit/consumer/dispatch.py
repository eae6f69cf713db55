"""Handlers by record type: each gets the batch's commands of its type and returns its answers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sagakit.errors import Poison
from sagakit.messages import Message, Outgoing
from sagakit.postgres.pipeline import Pipeline
from sagakit.records import Record

R = TypeVar("R", bound=Record)
Answer = TypeVar("Answer", bound=Record)

Handle: TypeAlias = Callable[[Sequence[Message[Record]], Pipeline], list[Outgoing]]
"""A service's reaction to a batch: it writes into the pipeline; what it returns is published after the commit.

It may commit early: each effect is stored once, so the batch may come again after a failure."""


@dataclass(frozen=True)
class Handler(Generic[R, Answer]):
    """A function that takes commands of one type."""

    record_type: type[R]
    function: Callable[[Sequence[R], Pipeline], Sequence[Answer]]

    def __call__(self, commands: Sequence[R], pipeline: Pipeline) -> Sequence[Answer]:
        """Handle ``commands``, no two with the same key, by way of ``pipeline``; return the answers, in any order."""
        return self.function(commands, pipeline)


def handles(
    record_type: type[R],
) -> Callable[[Callable[[Sequence[R], Pipeline], Sequence[Answer]]], Handler[R, Answer]]:
    """Mark a function as the handler of ``record_type``."""
    return lambda function: Handler(record_type, function)


def dispatcher(*handlers: Handler[Any, Any]) -> Handle:
    """Return the function that hands each message of a batch to the handler of its type.

    The batch is cut wherever a key recurs, so that inside one call a key appears once and record types need no order.
    """
    by_type = {handler.record_type: handler for handler in handlers}

    def handle(messages: Sequence[Message[Record]], pipeline: Pipeline) -> list[Outgoing]:
        answers: list[Outgoing] = []
        for run in cut(messages):
            causes = {message.record.key: message for message in run}
            for record_type, commands in _by_type(message.record for message in run).items():
                handler = by_type.get(record_type)
                if handler is None:
                    raise Poison("NOT_HANDLED", f"nothing here handles {record_type.FULL_NAME}")
                answers += [Outgoing(answer, causes[answer.key]) for answer in handler(commands, pipeline)]
        return answers

    return handle


def cut(messages: Sequence[Message[Record]]) -> list[list[Message[Record]]]:
    """Cut ``messages`` into the fewest consecutive runs in which no key appears twice."""
    runs: list[list[Message[Record]]] = []
    seen: set[int] = set()
    for message in messages:
        key = message.record.key
        if not runs or key in seen:
            runs.append([])
            seen = set()
        runs[-1].append(message)
        seen.add(key)
    return runs


def _by_type(records: Iterable[Record]) -> dict[type[Record], list[Record]]:
    found: dict[type[Record], list[Record]] = {}
    for record in records:
        found.setdefault(type(record), []).append(record)
    return found
