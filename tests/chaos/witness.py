"""What was seen of one customer's orders, and the checker's verdict on it, as soon as everything has come to rest."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from devstack.services import NAMES
from devstack.stack import Stack
from tests.chaos.checker import Violation, check
from tests.chaos.evidence import READERS, TOPICS, Evidence, OffsetSample, Rows
from tests.chaos.recorder import Recorder
from tests.support import trust
from tests.support.wait import eventually

PARTITIONS = 6
"""Of each topic."""
_REST_SECONDS = 10.0
_SETTLED_SECONDS = 2.0
_READ_SECONDS = 30.0


class Witness(Recorder):
    """Records what happens on a stack, and returns at any time what the checker says of one customer's orders."""

    def __init__(self, stack: Stack) -> None:
        """Begin to watch."""
        super().__init__(stack.bootstrap, stack.registry_url, {name: stack.service(name).dsn for name in NAMES})
        self._admin = AdminClient({**trust.kafka(stack.bootstrap), "log_level": 0})

    def violations(self, user: int, stock: Mapping[int, int], since: float) -> list[Violation]:
        """Return what the checker says now about the orders of ``user``.

        ``stock`` is what their products had at first. What was seen before ``since``, by `now`, does not count.
        """
        rows = self.reader.everything()
        self._catch_up()  # after the rows: what they show is in the topics by now
        orders = {order_id for order_id, row in rows.orders.items() if row.content.user_id == user}
        keys = {str(order_id).encode() for order_id in orders}
        seen, forged = self.evidence, set(self.evidence.forged)
        evidence = Evidence(
            initial_stock=dict(stock),
            epoch=seen.epoch,
            creates=[call for call in seen.creates if call.content.user_id == user],
            records=[
                r for r in self.tape.records if r.order_id in orders or (r.key in keys and r.message_id in forged)
            ],
            dead_letters=[one for one in self.tape.dead_letters if one.headers.get("dead-letter-key") in keys],
            outbox=[row for row in list(self._waiting.values()) if row.seen >= since],
            forged=forged,
            faults=[fault for fault in list(seen.faults) if fault.began >= since],
            overdue=[saga for saga in seen.overdue if saga.order_id in orders],
            offsets=[_sample_of(sample, orders, stock) for sample in list(seen.offsets) if sample.time >= since],
            rows=_rows_of(rows, orders, stock),
        )
        return check(evidence)

    def must_find_nothing(self, user: int, stock: Mapping[int, int], since: float) -> None:
        """See that every invariant holds, once what is under way has come to rest."""

        def holds() -> None:
            found = self.violations(user, stock, since)
            assert found == [], "\n".join(map(str, found))

        eventually(holds, _REST_SECONDS, every=0.2)

    def must_find(self, invariant: int, text: str, user: int, stock: Mapping[int, int], since: float) -> None:
        """See that the checker names ``invariant``, with ``text``, and still does when all has come to rest."""

        def finds() -> None:
            found = self.violations(user, stock, since)
            assert any(v.invariant == invariant and text in v.text for v in found), "\n".join(map(str, found))

        eventually(finds, _REST_SECONDS, every=0.2)
        time.sleep(_SETTLED_SECONDS)  # what is only passing through proves nothing
        finds()

    def wait_until_read(self, groups: Sequence[str] = NAMES) -> None:
        """Wait until each of ``groups`` has dealt with what lay in its topics, of whichever customer."""

        def read() -> None:
            self._catch_up()
            ends = self._behind_the_last()
            for group in groups:
                self.sample(group)
                reached = self._committed(group)
                behind = [
                    place for place, end in ends.items() if READERS[place[0]] == group and reached.get(place, 0) < end
                ]
                assert behind == [], f"{group} has yet to read {behind}"
            self._catch_up()
            assert self._behind_the_last() == ends  # else what was read has led to more

        eventually(read, _READ_SECONDS, every=0.1)

    def close(self) -> None:
        """Stop watching."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.tape.stop()
        for asker in self._askers.values():
            asker.close()

    def _behind_the_last(self) -> dict[tuple[str, int, int], int]:
        """Return the offset behind each partition's last record: a transaction's marker may follow it."""
        ends: dict[tuple[str, int, int], int] = {}
        for record in self.tape.records:
            place = record.place
            ends[place.topic, 0, place.partition] = place.offset + 1
        return ends

    def _ends(self) -> dict[tuple[str, int, int], int]:
        """Return where the topics' partitions end now; they are of the first incarnation here."""
        latest = {
            TopicPartition(topic, number): OffsetSpec.latest()  # type: ignore[no-untyped-call] # the library's own
            for topic in TOPICS
            for number in range(PARTITIONS)
        }
        found = self._admin.list_offsets(latest).items()
        return {(one.topic, 0, one.partition): future.result().offset for one, future in found}

    def _catch_up(self) -> None:
        """Wait until the tape holds what the topics hold now."""
        ends = self._ends()

        def caught_up() -> None:
            assert all(self.tape.reached(topic, number) >= end for (topic, _, number), end in ends.items())

        eventually(caught_up)


@contextmanager
def witness(stack: Stack) -> Iterator[Witness]:
    """Watch meanwhile."""
    watching = Witness(stack)
    try:
        yield watching
    finally:
        watching.close()


def _sample_of(sample: OffsetSample, orders: Collection[int], products: Collection[int]) -> OffsetSample:
    return OffsetSample(sample.group, sample.time, sample.committed, _rows_of(sample.rows, orders, products))


def _rows_of(rows: Rows, orders: Collection[int], products: Collection[int]) -> Rows:
    """Return the rows that belong to ``orders`` and ``products``; the outbox stays."""
    return Rows(
        orders={key: row for key, row in rows.orders.items() if key in orders},
        outbox=rows.outbox,
        stock={key: pieces for key, pieces in rows.stock.items() if key in products},
        prices=rows.prices,
        restocks=[row for row in rows.restocks if row.product_id in products],
        movements={key: row for key, row in rows.movements.items() if key in orders},
        deliveries={key: row for key, row in rows.deliveries.items() if key in orders},
        sagas={key: row for key, row in rows.sagas.items() if key in orders},
        events=[event for event in rows.events if event.order_id in orders],
    )
