"""Who may see, place and cancel whose orders."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Self, cast

import pytest
from ordersaga.order.v1 import order_pb2 as pb
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from order_svc import store
from order_svc.api import OrderService
from order_svc.orders import NewOrder, Order, OrderStatus
from order_svc.whose import may_order, visible_user
from sagakit.errors import Denied, Hidden, NotFound
from sagakit.rpc import callers, refusals
from sagakit.rpc.callers import ANYONE, Caller
from tests.support.issuer import ISSUER

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERS = Order(1, 7, 1, 1, 500, "", OrderStatus.COMPLETED, None, NOW, NOW)
HIS = Order(2, 8, 1, 1, 500, "", OrderStatus.COMPLETED, None, NOW, NOW)
STORED = {order.order_id: order for order in (HERS, HIS)}
ANN = Caller("7", ISSUER, frozenset({"orders:read", "orders:write"}), user_id=7)
HELP_DESK = Caller("desk", ISSUER, frozenset({"orders:read", "orders:write", "orders:any"}))
PROGRAM = Caller("program", ISSUER, frozenset({"orders:read", "orders:write"}))


@pytest.mark.parametrize(("caller", "user"), [(ANN, 7), (HELP_DESK, None), (ANYONE, None)], ids=str)
def test_without_the_scope_for_all_a_caller_is_one_user(caller: Caller, user: int | None) -> None:
    assert visible_user(caller) == user
    may_order(caller, 7)


def test_nobody_orders_for_another() -> None:
    with pytest.raises(Denied) as caught:
        may_order(ANN, 8)
    assert caught.value.reason == "ANOTHER_USER"
    may_order(HELP_DESK, 8)
    may_order(ANYONE, 8)


def test_who_is_no_user_has_no_orders() -> None:
    for ask in (visible_user, lambda caller: may_order(caller, 7)):
        with pytest.raises(Denied) as caught:
            ask(PROGRAM)
        assert caught.value.reason == "NO_USER"


class Asked:
    """Stands in for what is below the API, and notes what it was asked for."""

    def __init__(self) -> None:
        self.taken: list[NewOrder] = []
        self.cancels: list[dict[str, Any]] = []
        self.timelines = cast("Any", None)

    async def run(self, work: Callable[[Any], Any]) -> Any:
        return work(None)

    scan = run

    async def take(self, request: NewOrder) -> Order:
        self.taken.append(request)
        return HERS

    async def take_all(self, requests: Sequence[NewOrder]) -> list[Order]:
        self.taken += requests
        return [HERS for _ in requests]

    async def request(self, order_id: int, **asked: Any) -> Order:
        self.cancels.append(asked)
        return STORED[order_id]


class Context:
    """A call without metadata."""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"


class Listener:
    """Nothing changes."""

    def follow(self, _: int) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


CONTEXT = cast("Any", Context())


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Return the users whose orders were looked for."""
    users: list[int | None] = []

    def find(_: Any, *, user_id: int | None, **__: Any) -> list[Order]:
        users.append(user_id)
        return [order for order in STORED.values() if user_id in {None, order.user_id}]

    monkeypatch.setattr(store, "get", lambda _, ids: {one: STORED[one] for one in ids})
    monkeypatch.setattr(store, "find", find)
    return users


@pytest.fixture
def service(asked: Asked, found: list[int | None]) -> OrderService:
    assert found == []
    return OrderService(*cast("Any", (asked, asked, asked, Listener())))


async def get(service: OrderService, order_id: int) -> int:
    return (await service.GetOrder(pb.GetOrderRequest(order_id=order_id), CONTEXT)).order.order_id


async def watched(service: OrderService, order_id: int) -> list[int]:
    request = pb.WatchOrderRequest(order_id=order_id)
    return [update.order.order_id async for update in service.WatchOrder(request, CONTEXT)]


async def test_ones_own_order_is_found_and_anothers_is_not_there(service: OrderService) -> None:
    callers.make_current(ANN)
    assert (await get(service, 1), await watched(service, 1)) == (1, [1])
    for ask in (get, watched):
        with pytest.raises(NotFound, match="there is no order 2"):
            await ask(service, 2)
    for caller in (HELP_DESK, ANYONE):
        callers.make_current(caller)
        assert (await get(service, 2), await watched(service, 2)) == (2, [2])


@pytest.mark.parametrize(
    ("caller", "wanted", "came_of_it"),
    [
        (ANN, 0, ([7], [1])),
        (ANN, 7, ([7], [1])),
        (ANN, 8, ([], [])),
        (HELP_DESK, 0, ([None], [1, 2])),
        (HELP_DESK, 8, ([8], [2])),
        (ANYONE, 0, ([None], [1, 2])),
    ],
    ids=str,
)
async def test_lists_show_ones_own(
    service: OrderService, found: list[int | None], caller: Caller, wanted: int, came_of_it: object
) -> None:
    callers.make_current(caller)
    answer = await service.ListOrders(pb.ListOrdersRequest(user_id=wanted), CONTEXT)
    assert (found, [order.order_id for order in answer.orders]) == came_of_it


async def test_only_what_the_caller_may_place_is_taken(service: OrderService, asked: Asked) -> None:
    def new(user_id: int) -> pb.CreateOrderRequest:
        return pb.CreateOrderRequest(user_id=user_id, product_id=1, quantity=1, price=500)

    async def lists() -> Any:
        yield pb.CreateOrdersRequest(orders=[new(7), new(8)])

    callers.make_current(ANN)
    await service.CreateOrder(new(7), CONTEXT)
    with pytest.raises(Denied):
        await service.CreateOrder(new(8), CONTEXT)
    (answer,) = [answer async for answer in service.CreateOrders(lists(), CONTEXT)]
    assert [result.WhichOneof("outcome") for result in answer.results] == ["order", "error"]
    assert [order.user_id for order in asked.taken] == [7, 7]


async def test_who_reaches_for_what_is_anothers_is_counted_and_the_log_names_no_user(
    service: OrderService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a whole call ends with is noted by the guard; these are refused within an answer, which only we know of."""
    monkeypatch.setattr(refusals, "_lines", refusals._Lines())  # noqa: SLF001 - as in a process that has refused nobody yet

    def counted() -> float:
        return REGISTRY.get_sample_value("sagakit_rpc_callers_refused_total", {"reason": "ANOTHER_USER"}) or 0

    async def lists() -> Any:
        one = pb.CreateOrderRequest(user_id=8, product_id=1, quantity=1, price=500)
        yield pb.CreateOrdersRequest(orders=[one, one])

    callers.make_current(ANN)
    before = counted()
    with capture_logs() as logged:
        assert [len(answer.results) async for answer in service.CreateOrders(lists(), CONTEXT)] == [2]
    assert counted() - before == 2
    assert not (await service.ListOrders(pb.ListOrdersRequest(user_id=8), CONTEXT)).orders
    assert counted() - before == 3
    (line,) = logged
    assert line == {
        "event": "caller refused",
        "log_level": "info",
        "room": "rpc",
        "method": "CreateOrders",
        "reason": "ANOTHER_USER",
        "why": "the caller may not order for another user",
        "peer": CONTEXT.peer(),
        "times": 1,
    }


@pytest.mark.parametrize("ask", [get, watched])
async def test_anothers_order_is_not_found_and_the_reason_is_kept_for_the_count(
    service: OrderService, ask: Any
) -> None:
    callers.make_current(ANN)
    with pytest.raises(Hidden) as caught:
        await ask(service, 2)
    assert (caught.value.reason, caught.value.because) == ("ORDER_NOT_FOUND", "ANOTHER_USER")


async def test_a_cancel_is_the_callers_whatever_the_request_says(service: OrderService, asked: Asked) -> None:
    request = pb.CancelOrderRequest(order_id=1, actor="the boss", reason="too dear")
    callers.make_current(ANN)
    await service.CancelOrder(request, CONTEXT)
    await service.CancelOrder(pb.CancelOrderRequest(order_id=1, actor="b" * 100, reason="r" * 500), CONTEXT)
    callers.make_current(ANYONE)
    await service.CancelOrder(request, CONTEXT)
    said = [(one["actor"], one["note"], one["only_of"]) for one in asked.cancels]
    name = f"7 ({ISSUER})"
    assert said == [
        (name, "too dear (as the boss)", 7),
        (name, "r" * 500, 7),
        ("the boss", "too dear", None),
    ]
