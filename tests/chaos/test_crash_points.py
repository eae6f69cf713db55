"""Each crash point of each service, forced in turn: nothing is lost, nothing is done twice, no offset runs ahead.

The services run as their fault builds (`faulty`), which do what production does until a point is armed. *Where* a
point lies is said by its first word: the consumer, the outbox's relay, the saga's timers, or the origin: a call of
``CreateOrder`` with its fast path.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.chaos.faulty_fuse import EXIT_CODE
from tests.chaos.faulty_service import FaultyService, fault_builds
from tests.chaos.placing import ORDERS, Placing
from tests.chaos.witness import Witness, witness
from tests.support.shop import Shop

SETTINGS = {
    "OUTBOX_AGE_SECONDS": "1",
    "OUTBOX_INTERVAL_SECONDS": "0.2",
    "SAGA_TIME_SCALE": "0.03",  # a step waits 1.8 s, and is given up after 54
    "TIMER_INTERVAL_SECONDS": "0.2",
}

EVERY_CONSUMER = [
    "consumer:after-decode",
    "consumer:before-commit",
    "consumer:before-publish",
    "consumer:before-store",
    "consumer:after-store",
    "consumer:before-offset-commit",
]
DEATHS = {
    "order_svc": [
        *EVERY_CONSUMER,
        "origin:before-commit",
        "origin:before-publish",
        "origin:after-publish",
        "origin:after-ack",
        "relay:before-publish",
        "relay:after-publish",
        "relay:after-ack",
        "relay:before-commit",
    ],
    "product_svc": [*EVERY_CONSUMER, "consumer:after-publish"],
    "delivery_svc": [*EVERY_CONSUMER, "consumer:after-publish"],
    "orchestrator_svc": [
        *EVERY_CONSUMER,
        "consumer:after-publish",
        "timers:before-commit",
        "timers:before-publish",
        "timers:after-publish",
        "timers:after-ack",
    ],
}
UNHEARD = {
    "order_svc": [
        "consumer:commit-unheard",
        "consumer:store-unheard",
        "origin:publish-unheard",
        "relay:commit-unheard",
        "relay:publish-unheard",
    ],
    "product_svc": ["consumer:commit-unheard", "consumer:store-unheard", "consumer:publish-unheard"],
    "delivery_svc": ["consumer:commit-unheard", "consumer:store-unheard", "consumer:publish-unheard"],
    "orchestrator_svc": [
        "consumer:commit-unheard",
        "consumer:store-unheard",
        "consumer:publish-unheard",
        "timers:commit-unheard",
        "timers:publish-unheard",
    ],
}


def cases(points: dict[str, list[str]]) -> list[object]:
    return [pytest.param(name, point, id=f"{name}-{point}") for name in points for point in points[name]]


@dataclass
class Rig:
    """The four services as fault builds, and the customer of one test."""

    builds: dict[str, FaultyService]
    witness: Witness
    placing: Placing

    @contextmanager
    def provoked(self, name: str, point: str) -> Iterator[FaultyService]:
        """Arm ``point`` of the service ``name`` and let orders be placed; nobody answers the sagas if time is to run.

        Ends with the verdict on the orders.
        """
        silent = self.builds["product_svc"]
        if "store" in point:
            self.witness.wait_until_read([name])  # so that nothing is stored but what comes of these orders
        if point.startswith("timers:"):
            silent.service.stop()
        self.builds[name].fuse.arm(point)
        self.placing.begin()
        yield self.builds[name]
        assert self.builds[name].fuse.fired == point
        silent.start()
        self.placing.finals()
        self.placing.must_be_in_order()

    @contextmanager
    def still(self, name: str) -> Iterator[None]:
        """Let the service ``name`` stand still meanwhile, so that what comes for it lies there when it goes on."""
        pid = self.builds[name].service.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def cancel(self, orders: Sequence[order_pb2.Order]) -> None:
        """Have ``orders`` cancelled."""
        for order in orders:
            self.placing.shop.cancel(order)


def orders_of_every_kind(rig: Rig, build: FaultyService, point: str) -> None:
    """Have a batch of both types of commands at order_svc, and one at product_svc that is refused in part."""
    build.fuse.arm(point)
    rig.placing.begin()


def sagas_asked_again(rig: Rig, build: FaultyService, point: str) -> None:
    """Have the orchestrator get replies to sagas that the timers have changed since it remembered them."""
    with rig.still("product_svc"):
        rig.placing.begin()
        rig.placing.saw("DecreaseProductCommand", 2 * ORDERS)
        build.fuse.arm(point)


def stock_asked_for_twice_and_given_back(rig: Rig, build: FaultyService, point: str) -> None:
    """Have product_svc get commands, the same once more, and then undos of some."""
    with rig.still("product_svc"):
        rig.placing.begin_good(ORDERS)
        rig.placing.saw("DecreaseProductCommand", 2 * ORDERS)
        some = rig.placing.answered()[: ORDERS // 2]
        rig.cancel(some)
        rig.placing.saw("IncreaseProductCommand", len(some))
        build.fuse.arm(point)


def deliveries_created_and_cancelled(rig: Rig, build: FaultyService, point: str) -> None:
    """Have delivery_svc get commands, and the undo of each behind it."""
    with rig.still("delivery_svc"):
        rig.placing.begin_good(ORDERS)
        rig.placing.saw("CreateDeliveryCommand", ORDERS)
        rig.cancel(rig.placing.answered())
        rig.placing.saw("CancelDeliveryCommand", ORDERS)
        build.fuse.arm(point)


LATER_COMMITS = [
    pytest.param("order_svc", 2, orders_of_every_kind, id="order_svc-2"),
    pytest.param("product_svc", 2, orders_of_every_kind, id="product_svc-2"),
    pytest.param("product_svc", 3, stock_asked_for_twice_and_given_back, id="product_svc-3"),
    pytest.param("delivery_svc", 2, deliveries_created_and_cancelled, id="delivery_svc-2"),
    pytest.param("delivery_svc", 3, deliveries_created_and_cancelled, id="delivery_svc-3"),
    pytest.param("orchestrator_svc", 2, sagas_asked_again, id="orchestrator_svc-2"),
]
"""Which commit of a batch, and what makes a batch that has it."""
Situation = Callable[[Rig, FaultyService, str], None]


@pytest.fixture(scope="module")
def workshop(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, FaultyService], Witness]]:
    """All four services as their fault builds, and somebody who watches them."""
    with fault_builds(stack, tmp_path_factory.mktemp("fuses"), SETTINGS) as builds, witness(stack) as watching:
        yield builds, watching


@pytest.fixture
def rig(workshop: tuple[dict[str, FaultyService], Witness], shop: Shop) -> Iterator[Rig]:
    """A customer who may place orders; whatever a test before has left is mended."""
    builds, watching = workshop
    for build in builds.values():
        build.fuse.disarm()
        build.start()
    with ThreadPoolExecutor(ORDERS) as pool:
        placing = Placing(shop, watching, pool)
        with watching.fault("crash point", [*builds, "kafka"]):
            yield Rig(builds, watching, placing)


@pytest.mark.parametrize(("name", "point"), cases(DEATHS))
def test_a_process_that_dies_loses_nothing_and_does_nothing_twice(rig: Rig, name: str, point: str) -> None:
    with rig.provoked(name, point) as build:
        assert build.dies() == EXIT_CODE
        rig.witness.sample(name)  # while it is down: its offsets, then its rows
        build.start()


@pytest.mark.parametrize(("name", "point"), cases(UNHEARD))
def test_what_succeeded_but_was_reported_as_failed_is_done_once(rig: Rig, name: str, point: str) -> None:
    with rig.provoked(name, point) as build:
        build.reaches(point)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("name", "number", "provoke"), LATER_COMMITS)
def test_a_batch_that_ends_between_its_commits_is_done_once_when_it_comes_again(
    rig: Rig, name: str, number: int, provoke: Situation, moment: str
) -> None:
    build = rig.builds[name]
    provoke(rig, build, f"consumer:{moment}-commit-{number}")
    assert build.dies() == EXIT_CODE
    rig.witness.sample(name)
    build.start()
    rig.placing.ended()
    rig.placing.must_be_in_order()


@pytest.mark.parametrize(("name", "number", "provoke"), LATER_COMMITS)
def test_a_later_commit_of_a_batch_that_is_reported_as_failed_is_done_once(
    rig: Rig, name: str, number: int, provoke: Situation
) -> None:
    point = f"consumer:commit-{number}-unheard"
    provoke(rig, rig.builds[name], point)
    rig.builds[name].reaches(point)
    rig.placing.ended()
    rig.placing.must_be_in_order()


def test_a_caller_whose_order_is_stored_when_the_process_dies_asks_again_and_gets_that_order(rig: Rig) -> None:
    with rig.provoked("order_svc", "origin:after-commit") as build:
        assert build.dies() == EXIT_CODE
        build.start()
    assert rig.placing.repeated > 0


def test_a_caller_whose_order_is_stored_but_answered_as_failed_asks_again_and_gets_that_order(rig: Rig) -> None:
    with rig.provoked("order_svc", "origin:commit-unheard") as build:
        build.reaches("origin:commit-unheard")
    assert rig.placing.repeated > 0
