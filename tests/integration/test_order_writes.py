"""Orders and cancels as they are stored: once for each request, and with them their messages to the saga."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from ordersaga.messages import OrderCancelRequested, OrderCreated

from devstack.stack import Stack
from order_svc import store
from order_svc.cancelling import Cancelling
from order_svc.intake import Intake
from order_svc.orders import Ending, NewOrder, Order, OrderStatus, order_cancel_requested, order_created
from order_svc.recovery import Recovery
from sagakit.avro.codec import Codec
from sagakit.errors import AlreadyExists, NotFound, Refused, Unavailable
from sagakit.kafka.producer import Producer
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.database import Database
from sagakit.records import Record
from tests.support.registry import registry_client
from tests.support.scratch import database_of, migrated_database
from tests.support.wait import eventually

WANTED = NewOrder(1, 2, 3, 100, "Main Street 1", None)


@dataclass
class Desk:
    """An order service whose broker is away, so that all it has to say stays in the outbox."""

    database: Database
    codec: Codec
    intake: Intake
    cancelling: Cancelling

    async def cancel(self, order: Order, actor: str = "Ada", note: str = "never mind") -> Order:
        return await self.cancelling.request(order.order_id, actor=actor, note=note, trace=None)

    async def ends(self, order: Order) -> None:
        await self.database.run(lambda tx: store.end(tx, [Ending(order.order_id, OrderStatus.COMPLETED)]))

    async def said(self) -> list[Record]:
        """Return the messages that the saga will get."""
        rows = await self.database.run(lambda tx: tx.execute("SELECT * FROM outbox ORDER BY outbox_id").fetchall())
        return [
            self.codec.decode(row.topic, row.key, row.value, {name: value.encode() for name, value in heads})
            for row in rows
            for heads in [json.loads(row.headers)]
        ]


@pytest.fixture
async def desk(stack: Stack) -> AsyncIterator[Desk]:
    database = database_of(migrated_database(stack, "order_svc"))
    away = Producer({"bootstrap.servers": "127.0.0.1:1"}, lambda _: None)
    with registry_client(stack.registry_url) as registry:
        codec = Codec(registry, [OrderCreated, OrderCancelRequested])
        codec.load()
        writer = OutboxWriter(database, codec, away, OutboxBound(database, limit=100, interval_seconds=60))
        recovery = Recovery(database, codec, {"bootstrap.servers": stack.bootstrap}, announce_after_seconds=60)
        await asyncio.to_thread(recovery.recover)
        yield Desk(database, codec, Intake(writer, announce_after_seconds=60.0), Cancelling(writer))
    away.close(0.1)
    database.close()


async def test_an_order_is_stored_and_announced_to_the_saga(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)
    assert await desk.said() == [order_created(order)]
    assert await desk.database.run(lambda tx: store.get(tx, [order.order_id])) == {order.order_id: order}


async def test_in_a_database_that_may_have_gone_back_no_order_is_taken(desk: Desk) -> None:
    """An id that was given out, and is forgotten, must not be given a second time."""
    order = await desk.intake.take(WANTED)
    desk.database.timelines.number += 1  # as a new connection finds it after a failover
    with pytest.raises(Unavailable):
        await desk.intake.take(WANTED)
    with pytest.raises(Unavailable):
        await desk.cancel(order)
    assert await desk.said() == [order_created(order)]


async def test_a_request_id_stands_for_one_order_that_is_announced_once(desk: Desk) -> None:
    asked = replace(WANTED, request_id=str(uuid.uuid4()))
    together = await asyncio.gather(*(desk.intake.take(asked) for _ in range(3)))
    later = await desk.intake.take(asked)
    assert {order.order_id for order in [*together, later]} == {later.order_id}
    assert await desk.said() == [order_created(later)]


async def test_a_request_id_used_for_other_content_is_refused(desk: Desk) -> None:
    asked = replace(WANTED, request_id=str(uuid.uuid4()))
    order = await desk.intake.take(asked)
    with pytest.raises(AlreadyExists, match="used for another order"):
        await desk.intake.take(replace(asked, quantity=4))
    assert await desk.said() == [order_created(order)]


async def forget(desk: Desk, order: Order) -> None:
    """Have the database be as if it had gone back to before the order."""
    await desk.database.run(lambda tx: tx.execute("DELETE FROM orders WHERE order_id = %(id)s", {"id": order.order_id}))


async def restore(desk: Desk, *orders: Order) -> set[int]:
    announced = [order_created(order) for order in orders]
    return await desk.database.run(lambda tx: store.restore(tx, announced, {}, 60.0))


async def test_an_order_that_is_restored_answers_to_its_request_id(desk: Desk) -> None:
    asked = replace(WANTED, request_id=str(uuid.uuid4()))
    order = await desk.intake.take(asked)
    other = await desk.intake.take(WANTED)
    await forget(desk, order)
    assert await restore(desk, order, other) == {order.order_id}
    assert (await desk.intake.take(asked)).order_id == order.order_id
    with pytest.raises(AlreadyExists, match="used for another order"):
        await desk.intake.take(replace(asked, quantity=4))


async def test_an_order_is_restored_though_its_request_id_was_used_for_another_since(desk: Desk) -> None:
    """Both were acknowledged, and both have a saga."""
    asked = replace(WANTED, request_id=str(uuid.uuid4()))
    order = await desk.intake.take(asked)
    await forget(desk, order)
    since = await desk.intake.take(asked)
    assert await restore(desk, order, since) == {order.order_id}
    assert (await desk.intake.take(asked)).order_id == since.order_id
    both = await desk.database.run(lambda tx: store.get(tx, [order.order_id, since.order_id]))
    assert both.keys() == {order.order_id, since.order_id}


async def test_a_cancel_is_noted_on_its_order_and_sent_to_the_saga(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)
    asked = await desk.cancel(order)
    assert asked.cancel_request is not None
    assert (asked.cancel_request.actor, asked.cancel_request.note) == ("Ada", "never mind")
    assert await desk.said() == [order_created(order), order_cancel_requested(asked)]


async def test_a_cancel_asked_for_again_says_nothing_and_keeps_who_asked_first(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)
    asked = await desk.cancel(order)
    assert await desk.cancel(order, "Bob", "fraud") == asked
    assert len(await desk.said()) == 2


async def test_the_cancel_of_an_order_that_has_ended_is_refused(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)
    await desk.ends(order)
    with pytest.raises(Refused, match="is COMPLETED already"):
        await desk.cancel(order)
    assert await desk.said() == [order_created(order)]


async def test_the_cancel_of_an_order_that_is_not_there_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.cancelling.request(7, actor="Ada", note="", trace=None)
    assert await desk.said() == []


async def test_the_cancel_of_another_users_order_is_refused_as_if_there_were_none(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)
    for ended in (False, True):
        if ended:
            await desk.ends(order)
        with pytest.raises(NotFound, match=f"there is no order {order.order_id}"):
            await desk.cancelling.request(order.order_id, actor="Ada", note="", trace=None, only_of=order.user_id + 1)
    assert await desk.said() == [order_created(order)]


async def test_a_cancel_that_meets_an_end_waits_for_it_and_is_refused(desk: Desk) -> None:
    order = await desk.intake.take(WANTED)

    def waits() -> None:
        with desk.database.transaction() as tx:
            waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            assert tx.execute(waiting).fetchall()

    with desk.database.transaction() as end:
        ended = "UPDATE orders SET status = 'COMPLETED' WHERE order_id = %(id)s"
        end.execute(ended, {"id": order.order_id}).fetchall()
        asking = asyncio.create_task(desk.cancel(order))
        await asyncio.to_thread(eventually, waits)
    with pytest.raises(Refused, match="is COMPLETED already"):
        await asking
    assert await desk.said() == [order_created(order)]
