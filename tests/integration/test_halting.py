"""A bad deploy on a real broker: nothing is parked but what is the data's fault, and it heals by itself."""

import threading
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from devstack.stack import Stack
from sagakit.consumer.consumer import Consumer
from sagakit.errors import Poison
from sagakit.messages import Message, Outgoing
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record
from sagakit.runtime import metrics
from tests.support.kafka import headers, parked_from, taped
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.wait import eventually

BAD = 12
"""Messages that fail: enough for the code to be blamed."""
GOOD = 1000


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack) as group:
        yield group


class Fault:
    """What a handler of a bad deploy does, until it is mended."""

    def __init__(self, error: Callable[[list[int]], Exception | None]) -> None:
        self.mended = threading.Event()
        self._error = error

    def __call__(self, numbers: list[int]) -> None:
        error = None if self.mended.is_set() else self._error(numbers)
        if error:
            raise error


def a_bug(_: list[int]) -> Exception:
    return ValueError("a bug\nof ours")


def is_halted(consumer: Consumer) -> None:
    def check() -> None:
        assert consumer.state == "halted"

    eventually(check, 30)


def has_effects(group: Group, numbers: list[int]) -> None:
    def check() -> None:
        assert group.effects() == numbers

    eventually(check, 40)


def has_tried(handle: Recorded, number: int, *, times: int = 1) -> None:
    def check() -> None:
        assert len([call for call in handle.calls if call == [number]]) >= times

    eventually(check, 30)


def has_committed(group: Group, offset: int) -> None:
    def check() -> None:
        assert group.committed() == [offset]

    eventually(check, 30)


def halt_metrics() -> tuple[float, float, list[str]]:
    """Return what the metrics say of the halt: whether, since when, why."""
    (reasons,) = metrics.HALTED_REASON.collect()
    (halted,), (since,) = (next(iter(gauge.collect())).samples for gauge in (metrics.HALTED, metrics.HALTED_SINCE))
    return halted.value, since.value, [sample.labels["reason"] for sample in reasons.samples]


def test_a_bug_halts_it_and_once_it_is_gone_everything_goes_on_by_itself(stack: Stack, group: Group) -> None:
    fault = Fault(a_bug)
    group.send(range(BAD))
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        consumer = group.consume(Recorded(fault))
        is_halted(consumer)
        halted, since, reasons = halt_metrics()
        assert halted == 1
        assert since > 1_700_000_000
        assert reasons == [
            "BadDeployError: 12 messages in a row fail, and none is handled; here: ValueError: a bug of ours"
        ]
        assert group.effects() == []
        assert max(group.committed()) < 1
        fault.mended.set()
        has_effects(group, list(range(BAD)))
        has_committed(group, BAD)
        assert tape.until(0) == []
    assert consumer.state == "running"
    assert halt_metrics() == (0, 0, [])


def test_it_is_tried_again_and_again_while_it_is_halted(group: Group) -> None:
    handle = Recorded(Fault(a_bug))
    group.send(range(BAD))
    consumer = group.consume(handle)
    is_halted(consumer)
    alone = len([call for call in handle.calls if call == [0]])

    def tried_again() -> None:
        assert len([call for call in handle.calls if call == [0]]) > alone

    eventually(tried_again, 40)
    assert consumer.state == "halted"
    assert group.effects() == []


@pytest.mark.parametrize(
    "bad",
    [psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), Poison("REUSED_ID", "not the same")],
    ids=["values", "verdicts"],
)
def test_bad_data_among_what_a_bug_keeps_back_is_parked_once_and_the_rest_comes_through(
    stack: Stack, group: Group, bad: Exception
) -> None:
    def fail(numbers: list[int]) -> Exception | None:
        return bad if 3 in numbers or 7 in numbers else a_bug(numbers)

    fault = Fault(fail)
    group.send(range(BAD + 2))
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        consumer = group.consume(Recorded(fault))
        assert sorted(map(parked_from, tape.until(2))) == [f"{group.topic}-0-{n}" for n in (3, 7)]
        is_halted(consumer)
        fault.mended.set()
        has_effects(group, [number for number in range(BAD + 2) if number not in {3, 7}])
        has_committed(group, BAD + 2)
        assert len(tape.until(2)) == 2, "it was parked at each try"


def test_bugs_that_come_one_by_one_are_held_back_until_they_halt_it_and_none_is_parked(
    stack: Stack, group: Group
) -> None:
    handle = Recorded(fault := Fault(a_bug))
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        consumer = group.consume(handle)
        for number in range(3):
            group.send([number])
            has_tried(handle, number)
        group.send(range(3, BAD))
        is_halted(consumer)
        fault.mended.set()
        has_effects(group, list(range(BAD)))
        has_committed(group, BAD)
        assert tape.until(0) == []
    assert consumer.state == "running"


def test_a_message_that_fails_alone_waits_for_another_one_and_is_parked_if_that_is_handled(
    stack: Stack, group: Group
) -> None:
    def fail(numbers: list[int]) -> Exception | None:
        return a_bug(numbers) if 0 in numbers else None

    handle = Recorded(Fault(fail))
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        consumer = group.consume(handle)
        group.send([0])
        has_tried(handle, 0, times=5)
        assert tape.until(0) == []
        assert consumer.state == "running", "others can be served"
        assert max(group.committed()) < 1
        group.send([1])
        has_effects(group, [1])
        (letter,) = tape.until(1)
        assert headers(letter)["dead-letter-reason"] == b"HANDLER_ERROR"
    has_committed(group, 2)


def test_a_message_that_brings_a_bug_to_light_is_parked_where_others_are_handled(stack: Stack, group: Group) -> None:
    def fail(numbers: list[int]) -> Exception | None:
        return a_bug(numbers) if min(numbers) < BAD else None

    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.send(range(BAD))
        consumer = group.consume(Recorded(Fault(fail)))
        is_halted(consumer)
        group.send([100])
        has_effects(group, [100])
        assert {headers(letter)["dead-letter-reason"] for letter in tape.until(BAD)} == {b"HANDLER_ERROR"}
    assert consumer.state == "running"


def test_a_halt_ends_where_what_failed_is_gone(stack: Stack, group: Group) -> None:
    group.send(range(BAD))
    consumer = group.consume(Recorded(Fault(a_bug)))
    is_halted(consumer)
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    (done,) = admin.delete_records([TopicPartition(group.topic, 0, BAD)]).values()
    done.result(10)

    def running() -> None:
        assert consumer.state == "running"

    eventually(running, 40)
    assert halt_metrics() == (0, 0, [])


VALUES = {
    "NUL": ("SELECT %(text)s::text", "cut\0off"),
    "half of a surrogate pair": ("SELECT %(text)s::text", "\ud800"),
    "NUL in JSON": ("SELECT %(text)s::jsonb", '"cut\\u0000off"'),
    "no JSON": ("SELECT %(text)s::jsonb", "{"),
    "a number that is too large": ("SELECT %(text)s::int", "12345678901234567890"),
    "against a check": ("INSERT INTO checked VALUES (%(text)s::text)", "bad"),
    "too large by far": ("SELECT repeat('x', %(text)s::int)", "2000000000"),
}


@pytest.mark.parametrize("how_many", [1, 2 * len(VALUES)])
def test_what_the_database_cannot_take_is_parked_however_much_of_a_batch_it_is(
    stack: Stack, group: Group, how_many: int
) -> None:
    with group.database.transaction() as tx:
        tx.execute("CREATE TABLE checked (text text CHECK (text <> 'bad'))")

    def handle(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        for message in messages:
            if message.record.key < GOOD:
                sql, text = list(VALUES.values())[message.record.key % len(VALUES)]
                tx.execute(sql, {"text": text})
        return store(messages, tx)

    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.send(range(how_many))
        consumer = group.consume(handle)
        letters = tape.until(how_many)
        group.send([GOOD])
        has_effects(group, [GOOD])
    assert {headers(letter)["dead-letter-reason"] for letter in letters} == {b"UNSTORABLE"}
    assert consumer.state == "running"
    has_committed(group, how_many + 1)
