"""What takes minutes, and is run by `make test-upgrade` alone."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import stocked
from bench.rig import Rig
from devstack.services import NAMES
from tests.support.migrating import migrate_to
from tests.upgrade.replacing import there_and_back
from tests.upgrade.stage import Stage, servers
from tests.upgrade.version import PRESENT, Version

ORDERS = int(os.environ.get("ORDERS") or 1_000_000)
"""How many orders, sagas, movements of stock and deliveries there are."""
BEFORE_INDEXES = {"order_svc": "0002", "product_svc": "0001", "delivery_svc": "0001", "orchestrator_svc": "0001"}
"""Revisions at which the release before works, and after which indexes are still to be built."""
RATE = 50
"""Creates a second, at random moments. A latency counts from when its call was due."""
ROUND_SECONDS = 5.0
LONGEST_SECONDS = 1.0


@pytest.mark.timeout(1800)
def test_no_order_is_lost_while_one_service_after_the_other_is_replaced(released: Version, tmp_path: Path) -> None:
    there_and_back(released, tmp_path, waves=[[name] for name in NAMES])


@contextmanager
def creating(rig: Rig) -> Iterator[list[float]]:
    """Create orders meanwhile; the list gets the seconds that each create took."""
    creates: list[float] = []
    ended = threading.Event()

    def create() -> None:
        while not ended.is_set():
            load = rig.caller.open(RATE, ROUND_SECONDS, watch_every=0)
            assert set(load.answers) == {0}, load.answers
            creates.extend(load.creates)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(create)
        try:
            yield creates
        finally:
            ended.set()
        done.result()


@pytest.mark.timeout(3600)
def test_nobody_waits_longer_than_a_second_while_a_million_orders_are_migrated(
    released: Version, tmp_path: Path
) -> None:
    with servers(tmp_path / "stack") as stack:
        stage = Stage(stack, released, PRESENT)
        stage.deploy(released)
        for name, revision in BEFORE_INDEXES.items():
            migrate_to(name, stack.postgres.dsn(name), revision)
            stage.start(released, name)
        rig = Rig(stack)
        stocked.fill(stack, ORDERS, rig.products)
        rig.warm_up(ROUND_SECONDS)
        with creating(rig) as before:
            pass
        with creating(rig) as meanwhile, ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: stage.migrate(PRESENT, name), NAMES))
        rig.drain()
    for what, creates in (("before", before), ("meanwhile", meanwhile)):
        print(f"{ORDERS} orders, {what}: {len(creates)} creates, the longest took {max(creates) * 1000:.0f} ms")
    assert max(meanwhile) < LONGEST_SECONDS
