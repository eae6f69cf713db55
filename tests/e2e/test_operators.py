"""An operator's night: stuck sagas are found, watched, retried and cancelled, one by one or many at once."""

import queue
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.chaos.nemeses_clock import wrong_clock
from tests.chaos.recorder_rows import Reader
from tests.support.hurry import hurried
from tests.support.kafka import headers, taped
from tests.support.rpc import refusal
from tests.support.shop import COMPLETED, Shop
from tests.support.stored_state import StoredState
from tests.support.trust import in_history
from tests.support.wait import eventually


@pytest.fixture
def hasty(breakable: Stack) -> Iterator[Stack]:
    with hurried(breakable):
        yield breakable


def undoing(stack: Stack, shop: Shop, count: int = 1, stock: int = 50) -> tuple[int, list[order_pb2.Order]]:
    """Return orders whose sagas wait for product_svc, which is stopped, to take back what they hold."""
    product = shop.product(stock=stock)
    stack.service("delivery_svc").stop()
    orders = [shop.place(product, quantity=2, address="PO Box 7") for _ in range(count)]

    def delivering() -> None:
        assert {shop.saga(order).saga.step for order in orders} == {"create-delivery"}

    eventually(delivering)
    stack.service("product_svc").stop()
    stack.service("delivery_svc").start()

    def waiting() -> None:
        assert {shop.saga(order).saga.status for order in orders} == {pb.SAGA_STATUS_COMPENSATING}

    eventually(waiting, 30)
    return product, orders


def stuck_ids(shop: Shop) -> set[int]:
    found = shop.sagas.ListSagas(pb.ListSagasRequest(stuck=True, page_size=1000), timeout=10).sagas
    return {saga.order_id for saga in found}


@pytest.mark.timeout(240)
def test_stuck_sagas_are_found_shown_and_mended(hasty: Stack, shop: Shop) -> None:
    product, orders = undoing(hasty, shop, 3)
    ids = {order.order_id for order in orders}

    def stuck() -> None:
        assert ids <= stuck_ids(shop)

    eventually(stuck, 60)
    shown = shop.saga(orders[0])
    assert shown.saga.pending_command == "IncreaseProductCommand"
    assert shown.saga.attempt > 5
    assert shown.saga.last_error.startswith("no reply to IncreaseProductCommand")
    assert list(shown.saga.remaining_steps) == ["decrease-product"]
    assert pb.SAGA_EVENT_TYPE_STUCK in [event.type for event in shown.history]
    assert [(one.step, one.command) for one in shown.saga.pending] == [("decrease-product", "IncreaseProductCommand")]
    chosen = pb.SagaFilter(stuck=True, order_ids=sorted(ids))
    counted = shop.sagas.CountSagas(pb.CountSagasRequest(filter=chosen), timeout=10)
    assert [(one.step, one.stuck, one.retrying, one.count) for one in counted.counts] == [
        ("decrease-product", True, False, len(ids))
    ]
    wanted = pb.ListSagasRequest(retrying=False, reason="UNDELIVERABLE_ADDRESS", order_ids=sorted(ids))
    assert {one.order_id for one in shop.sagas.ListSagas(wanted, timeout=10).sagas} == ids
    hasty.service("product_svc").start()
    request = pb.RetrySagasRequest(filter=chosen, actor="ann", reason="product_svc is back")
    shop.sagas.RetrySagas(request, timeout=10)
    ended = shop.finals(orders, 60)
    assert {order.cancel_reason for order in ended} == {"UNDELIVERABLE_ADDRESS"}
    assert shop.stock(product) == 50
    assert not ids & stuck_ids(shop)
    StoredState(hasty, ended).must_agree()


@pytest.mark.timeout(120)
def test_a_saga_before_its_pivot_is_cancelled_and_the_history_says_by_whom(breakable: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    breakable.service("delivery_svc").stop()
    order = shop.place(product, quantity=4)

    def delivering() -> None:
        assert shop.saga(order).saga.step == "create-delivery"

    eventually(delivering)
    request = pb.CancelSagaRequest(order_id=order.order_id, actor="ann", reason="fraud")
    assert shop.sagas.CancelSaga(request, timeout=10).saga.status == pb.SAGA_STATUS_COMPENSATING
    assert shop.sagas.CancelSaga(request, timeout=10).saga.status == pb.SAGA_STATUS_COMPENSATING
    breakable.service("delivery_svc").start()
    ended = shop.final(order, 60)
    assert ended.cancel_reason == "CANCEL_REQUESTED"
    assert shop.stock(product) == 10
    notes = [e.reason for e in shop.saga(order).history if e.type == pb.SAGA_EVENT_TYPE_CANCEL_ACCEPTED]
    assert notes == [in_history(breakable, "ann", "fraud")]
    StoredState(breakable, [ended]).must_agree()


def test_a_completed_saga_is_too_late_to_cancel(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    before = shop.saga(order)
    request = pb.CancelSagaRequest(order_id=order.order_id, actor="ann", reason="fraud")
    refused = refusal(lambda: shop.sagas.CancelSaga(request, timeout=10))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOO_LATE")
    assert shop.saga(order) == before
    assert shop.order(order.order_id).status == COMPLETED


def test_a_saga_that_does_not_exist_is_not_found(shop: Shop) -> None:
    for call, request in (
        (shop.sagas.RetrySaga, pb.RetrySagaRequest(order_id=2**62, actor="ann")),
        (shop.sagas.CancelSaga, pb.CancelSagaRequest(order_id=2**62, actor="ann", reason="fraud")),
    ):
        refused = refusal(lambda call=call, request=request: call(request, timeout=10))  # type: ignore[misc] # bound now
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "SAGA_NOT_FOUND")


def test_a_bulk_action_shows_each_sagas_result(shop: Shop) -> None:
    product = shop.product()
    done, undone = shop.finals([shop.place(product), shop.place(product, address="PO Box 3")], 20)
    chosen = pb.SagaFilter(order_ids=[done.order_id, undone.order_id])
    request = pb.CancelSagasRequest(filter=chosen, actor="ann", reason="fraud")
    answer = shop.sagas.CancelSagas(request, timeout=10)
    assert not answer.more
    by_id = {result.order_id: result for result in answer.results}
    assert by_id[done.order_id].error_reason == "TOO_LATE"
    assert "cannot be cancelled any more" in by_id[done.order_id].error_message
    assert not by_id[done.order_id].HasField("saga")
    assert by_id[undone.order_id].saga.status == pb.SAGA_STATUS_COMPENSATED
    few = shop.sagas.RetrySagas(pb.RetrySagasRequest(filter=chosen, actor="ann", limit=1), timeout=10)
    assert (len(few.results), few.more) == (1, True)


@pytest.mark.parametrize(
    ("filter_", "field"), [(None, "filter"), (pb.SagaFilter(), "filter")], ids=["no-filter", "empty-filter"]
)
def test_a_bulk_action_without_a_filter_is_refused(shop: Shop, filter_: pb.SagaFilter | None, field: str) -> None:
    request = pb.CancelSagasRequest(filter=filter_, actor="ann", reason="all of them")
    refused = refusal(lambda: shop.sagas.CancelSagas(request, timeout=10))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields == [field]


def test_a_retry_of_an_ended_saga_sends_its_final_command_again_once(stack: Stack, shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    with taped(stack.bootstrap, "complete-order-command") as tape:
        answer = shop.sagas.RetrySaga(pb.RetrySagaRequest(order_id=order.order_id, actor="ann"), timeout=10)
        assert answer.saga.pending_command == "CompleteOrderCommand"
        (sent,) = tape.until(1, key=str(order.order_id).encode())
    assert headers(sent)["message-type"] == b"ordersaga.messages.CompleteOrderCommand"
    assert not shop.saga(order).saga.HasField("deadline")
    assert shop.order(order.order_id) == order


class Watch:
    """What WatchSagas streams, read in a thread."""

    def __init__(self, shop: Shop, chosen: pb.SagaFilter | None = None) -> None:
        self._stream = shop.sagas.WatchSagas(pb.WatchSagasRequest(filter=chosen), timeout=100)
        self._seen: queue.Queue[pb.Saga] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for answer in self._stream:
                self._seen.put(answer.saga)
        except grpc.RpcError:
            pass  # the test has seen enough

    def until(self, order_id: int, status: int, seconds: float = 20) -> list[pb.Saga]:
        """Return what was seen of one saga up to when it had ``status``."""
        seen: list[pb.Saga] = []
        give_up = time.monotonic() + seconds
        while not seen or seen[-1].status != status:
            saga = self._seen.get(timeout=max(0.01, give_up - time.monotonic()))
            if saga.order_id == order_id:
                seen.append(saga)
        return seen

    def stop(self) -> None:
        self._stream.cancel()


@pytest.mark.timeout(120)
def test_sagas_are_watched_from_their_beginning_to_their_end(shop: Shop) -> None:
    watch = Watch(shop)
    time.sleep(0.3)  # so that the stream is open
    order = shop.place(shop.product(), address="PO Box 9")
    seen = watch.until(order.order_id, pb.SAGA_STATUS_COMPENSATED)
    watch.stop()
    versions = [saga.version for saga in seen]
    assert versions == sorted(set(versions))
    assert seen[-1].reason == "UNDELIVERABLE_ADDRESS"


@pytest.mark.timeout(180)
def test_a_watcher_sees_what_lies_there_already_and_when_it_leaves_the_filter(breakable: Stack, shop: Shop) -> None:
    product, (order,) = undoing(breakable, shop)
    watch = Watch(shop, pb.SagaFilter(status=pb.SAGA_STATUS_COMPENSATING))
    assert watch.until(order.order_id, pb.SAGA_STATUS_COMPENSATING)[0].step == "decrease-product"
    breakable.service("product_svc").start()
    watch.until(order.order_id, pb.SAGA_STATUS_COMPENSATED, 60)
    watch.stop()
    assert shop.stock(product) == 50


@pytest.mark.timeout(120)
def test_a_watcher_s_sagas_are_as_old_as_their_database_s_clock_says_wherever_the_service_runs(
    breakable: Stack, shop: Shop
) -> None:
    service, product = breakable.service("orchestrator_svc"), shop.product()
    breakable.service("product_svc").stop()
    old = Duration(seconds=2)
    with wrong_clock(Reader({service.name: service.dsn}), service.name, 10):
        order = shop.place(product)

        def is_old() -> None:
            found = shop.sagas.ListSagas(pb.ListSagasRequest(min_age=old, page_size=1000), timeout=10).sagas
            assert order.order_id in {saga.order_id for saga in found}

        eventually(is_old)
        watch = Watch(shop, pb.SagaFilter(min_age=old))
        assert watch.until(order.order_id, pb.SAGA_STATUS_RUNNING, 5)
        watch.stop()


@pytest.mark.timeout(120)
def test_a_watcher_misses_nothing_when_its_database_was_away(breakable: Stack, shop: Shop) -> None:
    product = shop.product()
    watch = Watch(shop)
    time.sleep(0.3)
    breakable.service("product_svc").stop()
    order = shop.place(product)
    watch.until(order.order_id, pb.SAGA_STATUS_RUNNING)
    breakable.postgres.stop()
    breakable.postgres.start()
    breakable.service("product_svc").start()
    watch.until(order.order_id, pb.SAGA_STATUS_COMPLETED, 60)
    watch.stop()
