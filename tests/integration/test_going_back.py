"""A database that goes back catches up: the messages that it has forgotten are read again from Kafka."""

from collections.abc import Iterator

import psycopg
import pytest
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client import REGISTRY

from devstack.stack import Stack
from sagakit.errors import NotHeardOf
from sagakit.offsets import stored_offsets
from sagakit.offsets.group_lag import GroupLag
from sagakit.offsets.tables import CREATE_CONSUMED_OFFSETS
from tests.support.going_back import Earlier
from tests.support.kafka import taped
from tests.support.scratch import Group, Recorded, scratch_group
from tests.support.wait import eventually


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, partitions=3) as group:
        yield group


def has_effects(group: Group, numbers: range) -> None:
    def check() -> None:
        try:
            found = group.effects()
        except psycopg.OperationalError as error:  # its connections were ended
            raise AssertionError from error
        assert found == list(numbers)

    eventually(check, 30)


def has_stored(group: Group, messages: int) -> None:
    """Wait until the database says that so many messages are handled, and the broker too."""

    def check() -> None:
        with group.database.transaction() as tx:
            assert sum(stored_offsets.read(tx).values()) == messages
        assert sum(max(0, offset) for offset in group.committed()) == messages

    eventually(check, 30)


def has_handled(group: Group, messages: int) -> None:
    """Wait until the messages from 1 on, so many, have their effects, and their offsets are stored."""
    has_effects(group, range(1, messages + 1))
    has_stored(group, messages)


def earlier(group: Group) -> Earlier:
    with group.database.transaction() as tx:
        ((name,),) = tx.execute("SELECT current_database()").fetchall()
    return Earlier(group.stack.postgres, name)


class Dump:
    """A copy of the tables, to replace the present ones under open connections."""

    def __init__(self, group: Group) -> None:
        with group.database.transaction() as tx:
            ((self._dsn,),) = tx.execute("SELECT current_database()").fetchall()
        self._dsn = group.stack.postgres.dsn(self._dsn)
        self._effects = group.effects()
        with group.database.transaction() as tx:
            self._stored = stored_offsets.read(tx)

    def restore(self) -> None:
        """Do as ``pg_restore --clean --single-transaction`` does."""
        with psycopg.connect(self._dsn) as owner:
            owner.execute("DROP TABLE effects, consumed_offsets")
            owner.execute("CREATE TABLE effects (number bigint PRIMARY KEY)")
            owner.execute(CREATE_CONSUMED_OFFSETS.encode())
            owner.execute("INSERT INTO effects SELECT unnest(%s::bigint[])", [self._effects])
            for (topic, number), offset in self._stored.items():
                owner.execute("INSERT INTO consumed_offsets VALUES (%s, %s, %s)", [topic, number, offset])


def value(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


def resets(group: Group, offset: int) -> None:
    """Move the whole group as Kafka's own tools do, which know nothing of stored offsets."""
    tool = KafkaConsumer({"bootstrap.servers": group.stack.bootstrap, "group.id": group.name})
    tool.commit(offsets=[TopicPartition(group.topic, number, offset) for number in range(3)], asynchronous=False)
    tool.close()


def test_what_a_database_forgets_while_messages_come_is_handled_again(group: Group) -> None:
    before = value("sagakit_database_went_back_total")
    group.send(range(1, 31))
    group.consume(Recorded())
    has_handled(group, 30)
    then = earlier(group)
    group.send(range(31, 61))
    has_handled(group, 60)
    then.restore()
    group.send(range(61, 91))
    has_handled(group, 90)
    assert value("sagakit_database_went_back_total") == before + 1
    assert value("sagakit_catching_up_messages") == 0


def test_an_idle_service_notices_by_itself(group: Group) -> None:
    handle = Recorded()
    group.consume(handle)
    then = earlier(group)
    group.send(range(1, 31))
    has_handled(group, 30)
    then.restore()
    has_effects(group, range(1, 31))
    assert sorted(sum(handle.calls, [])) == sorted([*range(1, 31)] * 2)  # noqa: RUF017 - short lists


@pytest.mark.parametrize("until", [30, 0], ids=["less", "nothing"])
def test_tables_that_are_overwritten_in_place_are_noticed_by_the_next_message(
    group: Group, monkeypatch: pytest.MonkeyPatch, until: int
) -> None:
    monkeypatch.setattr("sagakit.consumer.offset_keeper._LOOK_SECONDS", 3600.0)  # nothing but the message may show it
    before = value("sagakit_database_went_back_total")
    group.send(range(1, until + 1))
    group.consume(Recorded())
    has_handled(group, until)
    then = Dump(group)
    group.send(range(until + 1, 61))
    has_handled(group, 60)
    then.restore()
    group.send(range(61, 91))
    has_handled(group, 90)
    assert value("sagakit_database_went_back_total") == before + 1


def test_tables_that_are_overwritten_in_place_are_noticed_while_nothing_comes(group: Group) -> None:
    group.consume(Recorded())
    then = Dump(group)
    group.send(range(1, 31))
    has_handled(group, 30)
    then.restore()
    has_handled(group, 30)


def test_a_client_that_fails_while_it_is_placed_ends_the_process(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(KafkaConsumer):
        """Kafka's consumer, which cannot be assigned what it was just unassigned."""

        fails = False

        def incremental_assign(self, partitions: list[TopicPartition]) -> None:
            if Failing.fails:
                raise KafkaException(KafkaError(KafkaError._STATE))  # noqa: SLF001 - its public name
            super().incremental_assign(partitions)

    monkeypatch.setattr("sagakit.consumer.membership.KafkaConsumer", Failing)
    consumer = group.consume(Recorded())
    then = Dump(group)
    group.send(range(1, 31))
    has_handled(group, 30)
    Failing.fails = True
    then.restore()

    def ended() -> None:
        assert (len(group.crashes), consumer.state) == (1, "ended")

    eventually(ended)
    group.crashes.clear()


def test_a_database_restored_while_the_service_is_stopped_is_caught_up_at_its_start(group: Group) -> None:
    then = earlier(group)
    group.send(range(1, 31))
    group.consume(Recorded())
    has_handled(group, 30)
    group.stop()
    then.restore()
    has_effects(group, range(0))
    group.consume(Recorded())
    has_handled(group, 30)


def test_all_replicas_see_that_something_is_missing_until_it_has_come_again(group: Group) -> None:
    lag = GroupLag({"bootstrap.servers": group.stack.bootstrap}, group.name, [group.topic])
    then = earlier(group)
    group.send(range(1, 31))
    group.consume(Recorded())
    has_handled(group, 30)
    lag.look()
    group.stop()

    def missing() -> bool:
        return group.database.transact(lambda tx: lag.is_missing(stored_offsets.read(tx)))

    assert not missing()
    then.restore()
    eventually_connected(group)
    assert missing()
    group.consume(Recorded())
    has_stored(group, 30)
    assert not missing()


def eventually_connected(group: Group) -> None:
    def check() -> None:
        try:
            group.effects()
        except psycopg.OperationalError as error:
            raise AssertionError from error

    eventually(check)


def test_what_is_not_heard_of_yet_is_no_dead_letter_while_it_is_caught_up(group: Group) -> None:
    """As when a saga's reply is read before its start, which is in another topic."""
    heard: set[int] = set()
    begun = [False]

    def must_be_heard_of(numbers: list[int]) -> None:
        if not begun[0] and any(number > 20 for number in numbers):
            raise NotHeardOf("UNKNOWN_SAGA", "its start comes later")
        heard.update(numbers)

    begun[0] = True
    then = earlier(group)
    group.send(range(1, 31))
    group.consume(Recorded(must_be_heard_of))
    has_handled(group, 30)
    group.stop()
    then.restore()
    eventually_connected(group)
    begun[0] = False
    with taped(group.stack.bootstrap, f"{group.name}.dlq") as letters:
        group.consume(Recorded(must_be_heard_of))
        has_effects(group, range(1, 21))
        has_stored(group, 30)
        assert letters.until(0) == []
        group.send([31])
        assert len(letters.until(1)) == 1, "caught up, it is a letter again"


@pytest.mark.parametrize(("to", "again"), [(0, range(1, 31)), (100, range(0))], ids=["back", "on"])
def test_kafkas_own_tools_move_a_group_as_ever(group: Group, to: int, again: range) -> None:
    group.send(range(1, 31))
    group.consume(Recorded())
    has_handled(group, 30)
    group.stop()
    if to:
        ends = group.committed()
        group.send(range(31, 61))
        tool = KafkaConsumer({"bootstrap.servers": group.stack.bootstrap, "group.id": group.name})
        parts = [TopicPartition(group.topic, number) for number in range(3)]
        tool.commit(
            offsets=[TopicPartition(p.topic, p.partition, tool.get_watermark_offsets(p, 10)[1]) for p in parts],
            asynchronous=False,
        )
        tool.close()
        assert group.committed() != ends
    else:
        resets(group, 0)
    handle = Recorded()
    group.consume(handle)
    if to:
        group.send([61])
        eventually(lambda: _must_be(handle, [61]))
    else:
        eventually(lambda: _must_be(handle, list(again)))


def _must_be(handle: Recorded, numbers: list[int]) -> None:
    assert sorted(sum(handle.calls, [])) == numbers  # noqa: RUF017 - short lists


def test_what_kafka_does_not_have_either_is_reported(group: Group) -> None:
    then = earlier(group)
    group.send(range(1, 31))
    group.consume(Recorded())
    has_handled(group, 30)
    group.stop()
    begins = [max(0, offset - 2) for offset in group.committed()]
    admin = AdminClient({"bootstrap.servers": group.stack.bootstrap})
    deleted = admin.delete_records([TopicPartition(group.topic, number, at) for number, at in enumerate(begins)])
    for future in deleted.values():
        future.result(15)
    then.restore()
    eventually_connected(group)
    before = value("sagakit_messages_deleted_before_reread_total")
    group.consume(Recorded())
    has_stored(group, 30)
    assert value("sagakit_messages_deleted_before_reread_total") == before + sum(begins)
    assert len(group.effects()) == 30 - sum(begins)
