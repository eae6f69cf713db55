"""Where a service is away, pages say that it cannot be asked, and not that there is nothing."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from console_svc.failures import CallFailed
from console_svc.kafka import KafkaView
from sagakit.dead_letters.letter import Letter
from tests.support.asked_console import Answer, asking, failing

SAGA = pb.Saga(order_id=5, status=pb.SAGA_STATUS_RUNNING, create_time=Timestamp(seconds=1))
SAGAS: dict[str, Answer] = {
    "GetSaga": lambda _: pb.GetSagaResponse(saga=SAGA),
    "ListSagas": lambda _: pb.ListSagasResponse(sagas=[SAGA]),
    "CountSagas": lambda _: pb.CountSagasResponse(),
    "ListOrders": lambda _: order_pb2.ListOrdersResponse(),
}
DECLARED: dict[str, Answer] = {"GetSagaDeclaration": lambda _: steps_pb2.GetSagaDeclarationResponse(name="order")}


async def test_of_a_service_that_does_not_answer_no_number_is_told() -> None:
    async with asking(SAGAS) as visitor:
        page = (await visitor.get("/system")).text
        for label in ("held back", "parked", "outbox"):
            assert page.count(f'data-label="{label}"><span class="quiet">\N{EN DASH}</span>') == 4, label


@pytest.mark.parametrize(("number", "said"), [(1, "1 passes the filter"), (2, "2 pass the filter")])
async def test_one_saga_passes_and_two_pass(number: int, said: str) -> None:
    counts = pb.CountSagasResponse(counts=[pb.SagaCount(count=number)])
    async with asking({**SAGAS, **DECLARED, "CountSagas": lambda _: counts}) as visitor:
        assert said in (await visitor.get("/sagas?retrying=yes")).text


async def test_products_that_cannot_be_asked_for_are_not_said_to_be_none() -> None:
    async with asking(SAGAS) as visitor:
        page = (await visitor.get("/orders")).text
        assert "There is no product" not in page
        assert "product_svc cannot be reached" in page


async def test_an_empty_catalogue_is_still_said_to_be_empty() -> None:
    async with asking({**SAGAS, "ListProducts": lambda _: product_pb2.ListProductsResponse()}) as visitor:
        assert "There is no product to order" in (await visitor.get("/orders")).text


async def test_a_saga_s_page_says_why_it_shows_no_order() -> None:
    async with asking({**SAGAS, **DECLARED}) as visitor:
        answer = await visitor.get("/sagas/5")
        assert answer.status_code == 200
        assert "order_svc cannot be reached" in answer.text


@pytest.mark.parametrize("path", ["/", "/sagas", "/sagas?step=x", "/sagas/5"])
async def test_a_declaration_that_cannot_be_had_hides_nothing_else(path: str) -> None:
    async with asking(SAGAS) as visitor:
        answer = await visitor.get(path)
        assert answer.status_code == 200
        assert "/sagas/5" in answer.text
        assert path != "/sagas/5" or "does not say how the saga is declared" in answer.text


@pytest.mark.parametrize("missing", ["stuck", "retrying"])
async def test_the_overview_says_which_sagas_in_need_it_could_not_ask_for(missing: str) -> None:
    def listed(request: pb.ListSagasRequest) -> pb.ListSagasResponse:
        wanted = "retrying" if request.retrying else "stuck" if request.stuck else ""
        if wanted == missing:
            raise CallFailed("It is too slow.", grpc.StatusCode.DEADLINE_EXCEEDED, "")
        return pb.ListSagasResponse(sagas=[SAGA])

    async with asking({**SAGAS, **DECLARED, "ListSagas": listed}) as visitor:
        answer = await visitor.get("/")
        assert answer.status_code == 200
        assert f"does not say which are {missing}" in answer.text


async def test_a_pace_that_nobody_has_counted_is_no_zero() -> None:
    async with asking({**SAGAS, **DECLARED}) as visitor:
        assert "0.0<small>/s" not in (await visitor.get("/")).text


async def test_a_letter_s_value_that_cannot_be_read_is_not_said_to_be_none() -> None:
    letter = Letter(b"t-0-1", ("t", 0, 1), b"5", (), "BAD_KEY", "bad", "2026-01-01T00:00:00", 1, 9, ("g.dlq", 0, 3))
    async with asking(SAGAS, KafkaView(letters={"g": (letter,)})) as visitor:
        page = (await visitor.get("/dead-letters/g/t-0-1")).text
        assert "It has no value" not in page
        assert "It cannot be read now" in page


async def test_a_saga_s_order_that_may_not_be_seen_says_so() -> None:
    refused = CallFailed("This order is another user's.", grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_USER")
    async with asking({**SAGAS, **DECLARED, "GetOrder": failing(refused)}) as visitor:
        assert "This order is another user&#39;s." in (await visitor.get("/sagas/5")).text
