"""Many sagas at once: what is typed by hand, or comes from an old link, never means more of them than it says."""

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.order.v1 import order_pb2

from tests.support.asked_console import OWN, Answer, asking, form


def answers(asked: list[pb.ListSagasRequest], *, orders_of_a_user: int = 3) -> dict[str, Answer]:
    """Return a shop in which each order has a saga; requests for these are noted."""

    def sagas(request: pb.ListSagasRequest) -> pb.ListSagasResponse:
        asked.append(request)
        return pb.ListSagasResponse(sagas=[pb.Saga(order_id=one) for one in request.order_ids or (9, 8, 7)])

    def orders(request: order_pb2.ListOrdersRequest) -> order_pb2.ListOrdersResponse:
        first = int(request.page_token or "1")
        size = min(request.page_size, 400, orders_of_a_user - first + 1)  # long texts make a page shorter
        token = str(first + size) if first + size <= orders_of_a_user else ""
        listed = [order_pb2.Order(order_id=one) for one in range(first, first + size)]
        return order_pb2.ListOrdersResponse(orders=listed, next_page_token=token)

    return {"ListSagas": sagas, "ListOrders": orders}


@pytest.mark.parametrize("page", ["/sagas?", "/bulk?do=cancel&"])
@pytest.mark.parametrize(
    "senseless", ["status=bogus", "stuck=maybe", "retrying=1", "age=2020-13-45", "id=x", "user=0", "statuss=RUNNING"]
)
async def test_a_filter_that_makes_no_sense_is_named_and_means_no_saga(page: str, senseless: str) -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked)) as visitor:
        answer = await visitor.get(f"{page}step=create-delivery&{senseless}")
        assert answer.status_code == 400
        assert senseless in answer.text
        assert "comes by itself" not in answer.text
    assert asked == []


@pytest.mark.parametrize("senseless", ["status=bogus", "user=x", "id=-1"])
async def test_orders_are_not_all_shown_for_a_filter_that_makes_no_sense(senseless: str) -> None:
    async with asking(answers([])) as visitor:
        answer = await visitor.get(f"/orders?{senseless}")
        assert answer.status_code == 400
        assert senseless in answer.text


async def test_a_selection_that_makes_no_sense_does_not_become_the_whole_filter() -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked)) as visitor:
        answer = await visitor.get("/bulk?do=cancel&status=RUNNING&order=x")
        assert (answer.status_code, "order=x" in answer.text) == (400, True)
        many = "&".join(f"order={one}" for one in range(1, 1002))
        assert (await visitor.get(f"/bulk?do=cancel&{many}")).status_code == 400
    assert asked == []


async def test_a_selection_is_meant_as_far_as_it_passes_the_filter() -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked)) as visitor:
        await visitor.get("/bulk?do=retry&order=2&order=70&user=5&status=RUNNING")
    assert [(list(one.order_ids), one.status) for one in asked] == [([2], pb.SAGA_STATUS_RUNNING)]


@pytest.mark.parametrize("page", ["/sagas?", "/bulk?do=cancel&"])
async def test_an_order_that_is_not_the_user_s_means_no_saga_and_not_every_one(page: str) -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked)) as visitor:
        assert (await visitor.get(f"{page}user=5&id=70")).status_code == 200
    assert asked == []


@pytest.mark.parametrize("page", ["/sagas?", "/bulk?do=cancel&"])
async def test_of_a_user_with_many_orders_it_is_said_how_many_are_looked_at(page: str) -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked, orders_of_a_user=1200)) as visitor:
        assert "only the newest 1\N{NARROW NO-BREAK SPACE}000 orders" in (await visitor.get(f"{page}user=5")).text
    assert list(asked[0].order_ids) == list(range(1, 1001))
    async with asking(answers(asked, orders_of_a_user=1000)) as visitor:
        assert "only the newest" not in (await visitor.get(f"{page}user=5")).text


async def test_a_form_with_an_order_that_is_none_does_nothing() -> None:
    asked = list[pb.ListSagasRequest]()
    async with asking(answers(asked)) as visitor:
        fields = await form(visitor, "/bulk?do=retry&user=5", do="retry", orders="1,x", actor="ann")
        answer = await visitor.post("/bulk", data=fields, headers=OWN)
        assert answer.headers["location"] == "/sagas"
