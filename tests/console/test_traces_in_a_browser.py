"""A saga's trace is one click away where the console knows a viewer, and not spoken of where it knows none."""

import uuid
from collections.abc import Iterator

import pytest
from ordersaga.order.v1 import order_pb2
from playwright.sync_api import Page, expect

from devstack.console import Console
from devstack.stack import Stack
from tests.support.collector import Collector, collecting
from tests.support.shop import PRICE, Shop
from tests.support.wait import eventually


@pytest.fixture
def linking(stack: Stack, console: Console) -> Iterator[str]:
    """A console that links traces, to a viewer of which the address is yielded."""
    viewer = "http://127.0.0.1:9411/zipkin/traces/"
    console.launch({**stack.console_asks, "CONSOLE_TRACE_URL": f"{viewer}{{trace_id}}"})
    console.wait_ready()
    yield viewer
    console.launch(stack.console_asks)
    console.wait_ready()


@pytest.fixture
def collector(breakable: Stack) -> Iterator[Collector]:
    """A collector that gets every trace which the orchestrator may record."""
    service = breakable.service("orchestrator_svc")
    with collecting() as running:
        service.stop()
        exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": running.address, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        service.start(extra_env={**exporter, "OTEL_TRACES_SAMPLER": "parentbased_always_on"})
        yield running
        service.stop()
        service.start()


def traced(shop: Shop, *, recorded: bool = True) -> tuple[order_pb2.Order, str]:
    """Place an order in a trace of ours, wait for its end; return it and the trace's id."""
    trace = uuid.uuid4().hex
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=shop.product(), quantity=1, price=PRICE)
    metadata = (("traceparent", f"00-{trace}-00f067aa0ba902b7-{'01' if recorded else '00'}"),)
    return shop.final(shop.orders.CreateOrder(request, metadata=metadata, timeout=10).order), trace


def test_a_saga_and_its_messages_link_the_trace_in_which_the_order_was_placed(
    linking: str, page: Page, shop: Shop
) -> None:
    order, trace = traced(shop)
    for path in (f"/sagas/{order.order_id}", f"/sagas/{order.order_id}/messages"):
        page.goto(path)
        link = page.get_by_role("link", name="Its trace")
        expect(link).to_have_attribute("href", f"{linking}{trace}")
        expect(link).to_have_count(1)


def test_a_trace_that_nobody_records_has_no_page_and_no_link(linking: str, page: Page, shop: Shop) -> None:
    order, _ = traced(shop, recorded=False)
    for path in (f"/sagas/{order.order_id}", f"/sagas/{order.order_id}/messages"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_contain_text(str(order.order_id))
        assert page.locator(f"a[href^='{linking}']").count() == 0


def test_where_no_viewer_is_known_no_trace_is_linked_but_its_id_can_be_copied(page: Page, shop: Shop) -> None:
    order, trace = traced(shop)
    page.goto(f"/sagas/{order.order_id}")
    expect(page.locator("#live_state")).to_contain_text("All steps are done")
    expect(page.locator("#traces")).to_have_count(0)
    page.goto(f"/sagas/{order.order_id}/messages")
    expect(page.locator("#traces")).to_have_count(0)
    expect(page.locator(".tape")).to_contain_text(trace)


def test_looking_is_not_recorded_and_what_a_person_does_is(page: Page, shop: Shop, collector: Collector) -> None:
    service = "ordersaga.orchestrator.v1.OrchestratorService"
    order = shop.final(shop.place(shop.product()))
    for path in ("/", "/sagas", f"/sagas/{order.order_id}"):
        page.goto(path)
        expect(page.locator("#connection")).to_have_text("live")
    page.get_by_label("Your name").fill("ann")
    page.get_by_role("button", name="Send the command again").click()
    expect(page.locator(".notice")).to_contain_text("is sent again")

    def the_retry_is_recorded() -> None:
        assert collector.count(f"{service}/RetrySaga") == 1

    eventually(the_retry_is_recorded)
    looks = ("CountSagas", "GetSagaDeclaration", "ListSagas", "GetSaga")
    assert {name: collector.count(f"{service}/{name}") for name in looks} == dict.fromkeys(looks, 0)
