"""The checker catches what it should: with one promise deliberately broken it names the invariant that is violated.

Each case is provoked twice, once with what production does, and then the checker must find nothing.
"""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from ordersaga.messages import CancelDeliveryCommand, CreateDeliveryCommand
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.chaos.evidence import Content
from tests.chaos.faulty_fuse import EXIT_CODE
from tests.chaos.faulty_mutants import MUTANTS
from tests.chaos.faulty_service import FaultyService, fault_builds
from tests.chaos.placing import FINAL_SECONDS, ORDERS, Placing
from tests.chaos.witness import Witness, witness
from tests.support.kafka import send
from tests.support.registry import encode
from tests.support.shop import CANCELLED, PRICE, Shop
from tests.support.wait import eventually

SETTINGS = {
    "OUTBOX_AGE_SECONDS": "1",
    "OUTBOX_INTERVAL_SECONDS": "0.2",
    "ANNOUNCE_AFTER_SECONDS": "3",
    "ANNOUNCE_INTERVAL_SECONDS": "0.5",
    "SAGA_TIME_SCALE": "0.03",  # a step waits 1.8 s, and is given up after 54
    "TIMER_INTERVAL_SECONDS": "0.2",
}
Builds = dict[str, FaultyService]


@pytest.fixture(scope="module")
def workshop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builds, Witness]]:
    """All four services as their fault builds, and somebody who watches them."""
    with fault_builds(stack, tmp_path_factory.mktemp("fuses"), SETTINGS) as builds, witness(stack) as watching:
        yield builds, watching


@pytest.fixture
def builds(workshop: tuple[Builds, Witness]) -> Builds:
    return workshop[0]


@pytest.fixture
def placing(workshop: tuple[Builds, Witness], shop: Shop) -> Iterator[Placing]:
    with ThreadPoolExecutor(ORDERS) as pool:
        yield Placing(shop, workshop[1], pool)


@contextmanager
def broken(build: FaultyService, mutant: str) -> Iterator[None]:
    """Run ``build`` meanwhile with ``mutant`` broken, or as it should be where that is empty."""
    build.restart(mutant)
    try:
        yield
    finally:
        build.fuse.disarm()
        build.restart()


def verdict(placing: Placing, mutant: str, invariant: int) -> None:
    """See that the checker names ``invariant`` where something is broken, and nothing where all is as it should be."""
    if mutant:
        placing.must_violate(invariant)
    else:
        placing.must_be_in_order()


def test_each_mutant_is_tried() -> None:
    tried = {"forgetful-stock", "offsets-first", "no-tombstone", "no-version-check", "careless-relay"}
    assert set(MUTANTS) == tried


@pytest.mark.parametrize("mutant", ["", "forgetful-stock"])
def test_stock_that_is_taken_twice_for_an_order_does_not_balance(builds: Builds, placing: Placing, mutant: str) -> None:
    with broken(builds["product_svc"], mutant):
        builds["product_svc"].fuse.arm("consumer:before-offset-commit")
        placing.begin()
        assert builds["product_svc"].dies() == EXIT_CODE
        builds["product_svc"].start(mutant)
        placing.finals()
        verdict(placing, mutant, 2)


@pytest.mark.parametrize("mutant", ["", "offsets-first"])
def test_an_offset_that_is_committed_before_its_effect_is_seen(
    builds: Builds, placing: Placing, workshop: tuple[Builds, Witness], mutant: str
) -> None:
    with broken(builds["product_svc"], mutant):
        builds["product_svc"].fuse.arm("consumer:before-commit")
        placing.begin()
        assert builds["product_svc"].dies() == EXIT_CODE
        workshop[1].sample("product_svc")  # while it is down
        builds["product_svc"].start(mutant)
        placing.finals()
        verdict(placing, mutant, 7)


@pytest.mark.parametrize("mutant", ["", "no-tombstone"])
def test_a_delivery_that_is_made_after_it_was_undone_is_one_too_many(
    builds: Builds, placing: Placing, stack: Stack, mutant: str
) -> None:
    with broken(builds["delivery_svc"], mutant):
        dear = Content(placing.user, placing.plenty, 1, PRICE + 1, "Main Street 1")
        order = placing.shop.final(placing.place(dear))
        assert order.status == CANCELLED
        undo = CancelDeliveryCommand(order_id=order.order_id, user_id=placing.user, address=dear.address)
        do = CreateDeliveryCommand(order_id=order.order_id, user_id=placing.user, address=dear.address)
        for encoded in (encode(stack.registry_url, undo), encode(stack.registry_url, do)):  # one partition, in order
            send(stack.bootstrap, encoded.topic, encoded.key, encoded.value, dict(encoded.headers))
        verdict(placing, mutant, 3)


@pytest.mark.parametrize("mutant", ["", "no-version-check"])
def test_a_saga_that_is_overwritten_does_not_fit_its_history(
    builds: Builds, placing: Placing, shop: Shop, mutant: str
) -> None:
    orchestrator, product = builds["orchestrator_svc"], builds["product_svc"]
    with broken(orchestrator, mutant):
        product.service.stop()
        order = placing.place(Content(placing.user, placing.plenty, 1, PRICE, "Main Street 1"))
        eventually(lambda: step(shop, order, "decrease-product"))
        orchestrator.fuse.arm("consumer:slow-save")
        product.start()
        orchestrator.reaches("consumer:slow-save")
        shop.sagas.CancelSaga(
            orchestrator_pb2.CancelSagaRequest(order_id=order.order_id, actor="Ada", reason=str(uuid.uuid4())),
            timeout=10,
        )
        shop.final(order, FINAL_SECONDS)
        verdict(placing, mutant, 6)


def step(shop: Shop, order: order_pb2.Order, name: str) -> None:
    """See that the saga of ``order`` is at the step ``name``."""
    sagas = shop.sagas.ListSagas(orchestrator_pb2.ListSagasRequest(step=name), timeout=5).sagas
    assert order.order_id in {saga.order_id for saga in sagas}


@pytest.mark.parametrize("mutant", ["", "careless-relay"])
def test_an_outbox_row_that_is_removed_unpublished_is_missed(builds: Builds, placing: Placing, mutant: str) -> None:
    with broken(builds["order_svc"], mutant):
        builds["order_svc"].fuse.arm("origin:before-publish")
        placing.begin()
        assert builds["order_svc"].dies() == EXIT_CODE
        builds["order_svc"].start(mutant)
        placing.finals()
        verdict(placing, mutant, 5)
