"""Orders loaded in bulk to be measured with are like those that went through the system."""

from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from bench import stocked
from devstack.stack import Stack
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import count

LOADED = 300
_ORDERS = "SELECT count(*) FROM orders"


def test_loaded_orders_are_complete_in_every_service_and_in_nobodys_way(stack: Stack, shop: Shop) -> None:
    products = [shop.product(stock=1_000) for _ in range(3)]
    dsn = stack.service("order_svc").dsn
    before = count(dsn, _ORDERS)
    earlier = shop.place(products[0])
    chunk = stocked.fill(stack, LOADED, products)
    assert count(dsn, _ORDERS) == before + LOADED + 1
    assert len(chunk.orders) == LOADED
    assert earlier.order_id not in chunk.orders
    assert shop.place(products[0]).order_id == chunk.orders[-1] + 1
    assert [shop.stock(product) for product in products[1:]] == [900, 900]
    for order_id in (chunk.orders[0], chunk.orders[-1]):
        order = shop.order(order_id)
        assert order.status == COMPLETED
        assert order.user_id in chunk.users
        assert shop.delivery(order) is not None


def test_loaded_sagas_read_as_those_that_ran(stack: Stack, shop: Shop) -> None:
    product = shop.product()
    ran = shop.final(shop.place(product))
    chunk = stocked.fill(stack, 1, [product])
    loaded = shop.saga(order_pb2.Order(order_id=chunk.orders[0]))
    assert _without_ids_and_times(loaded) == _without_ids_and_times(shop.saga(ran))


def test_each_user_has_as_many_orders_at_every_size(stack: Stack, shop: Shop) -> None:
    chunk = stocked.fill(stack, LOADED, [shop.product(stock=LOADED)])
    request = order_pb2.ListOrdersRequest(user_id=chunk.users[1], page_size=1000)
    found = shop.orders.ListOrders(request, timeout=10)
    assert len(found.orders) == stocked.ORDERS_A_USER


def _without_ids_and_times(found: orchestrator_pb2.GetSagaResponse) -> str:
    saga = found.saga
    for field in ("order_id", "create_time", "update_time"):
        saga.ClearField(field)
    for event in found.history:
        event.ClearField("create_time")
        event.ClearField("message_id")
    return str(found)
