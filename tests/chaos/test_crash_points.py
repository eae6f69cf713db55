"""Each crash point of each service, forced in turn: nothing is lost, nothing is done twice, no offset runs ahead.

The services run as their fault builds (`faulty`), which do what production does until a point is armed. *Where* a
point lies is told by its first word: the consumer, the outbox's relay, the saga's timers, or the origin: a call of
``CreateOrder`` with its fast path.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from devstack.services import NAMES
from devstack.stack import Stack
from tests.chaos.faulty_fuse import EXIT_CODE
from tests.chaos.faulty_service import FaultyService
from tests.chaos.placing import Placing
from tests.support.books import Books
from tests.support.mend import mend
from tests.support.shop import Shop

FINAL_SECONDS = 20.0
SETTINGS = {"OUTBOX_AGE_SECONDS": "1", "OUTBOX_INTERVAL_SECONDS": "0.2"}

EVERY_CONSUMER = [
    "consumer:after-decode",
    "consumer:before-commit",
    "consumer:before-publish",
    "consumer:before-offset-commit",
]
DEATHS = {
    "order_svc": [
        *EVERY_CONSUMER,
        "origin:before-commit",
        "origin:after-commit",
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
    "orchestrator_svc": [*EVERY_CONSUMER, "consumer:after-publish"],
}
UNHEARD = {
    "order_svc": [
        "consumer:commit-unheard",
        "origin:commit-unheard",
        "origin:publish-unheard",
        "relay:commit-unheard",
        "relay:publish-unheard",
    ],
    "product_svc": ["consumer:commit-unheard", "consumer:publish-unheard"],
    "delivery_svc": ["consumer:commit-unheard", "consumer:publish-unheard"],
    "orchestrator_svc": ["consumer:commit-unheard", "consumer:publish-unheard"],
}


def cases(points: dict[str, list[str]]) -> list[object]:
    return [pytest.param(name, point, id=f"{name}-{point}") for name in points for point in points[name]]


@pytest.fixture(scope="module")
def builds(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FaultyService]]:
    """All four services as their fault builds."""
    folder = tmp_path_factory.mktemp("fuses")
    found = {name: FaultyService(stack.service(name), folder, SETTINGS) for name in NAMES}
    with ThreadPoolExecutor() as pool:
        list(pool.map(FaultyService.restart, found.values()))
    yield found
    for name in NAMES:
        stack.service(name).stop()
    mend(stack)


@pytest.fixture
def placing(stack: Stack, shop: Shop, builds: dict[str, FaultyService]) -> Iterator[Placing]:
    """Orders of every kind, to be placed while something happens."""
    for build in builds.values():  # whatever a test before has left
        build.fuse.disarm()
        build.start()
    with ThreadPoolExecutor() as pool:
        yield Placing(stack, shop, pool)


@pytest.mark.parametrize(("name", "point"), cases(DEATHS))
def test_a_process_that_dies_loses_nothing_and_does_nothing_twice(
    stack: Stack, shop: Shop, builds: dict[str, FaultyService], placing: Placing, name: str, point: str
) -> None:
    build = builds[name]
    build.fuse.arm(point)
    placing.begin()
    assert build.dies() == EXIT_CODE
    assert build.fuse.fired == point
    build.start()
    orders = placing.placed()
    finals = shop.finals(orders, FINAL_SECONDS)
    books = Books(stack, finals)
    assert books.reasons() == placing.outcomes
    books.must_balance()


@pytest.mark.parametrize(("name", "point"), cases(UNHEARD))
def test_what_succeeded_but_was_told_as_failed_is_done_once(
    stack: Stack, shop: Shop, builds: dict[str, FaultyService], placing: Placing, name: str, point: str
) -> None:
    build = builds[name]
    build.fuse.arm(point)
    placing.begin()
    orders = placing.placed()
    finals = shop.finals(orders, FINAL_SECONDS)
    assert build.fuse.fired == point
    books = Books(stack, finals)
    assert books.reasons() == placing.outcomes
    books.must_balance()
