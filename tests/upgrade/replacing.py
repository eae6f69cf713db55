"""Orders while services are replaced by those of another version, and back again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from tests.support.kafka import taped
from tests.support.shop import Shop
from tests.support.sql import count
from tests.support.stored_state import StoredState
from tests.support.wait import eventually
from tests.upgrade.customers import Customers
from tests.upgrade.stage import Stage, servers
from tests.upgrade.version import PRESENT, Version

ORDERS = 100
"""How many orders are placed, at least, each time another version has come to a service, or is gone."""
STOCK = 1_000_000
Waves = Sequence[Sequence[str]]
"""Services that are replaced together."""


def go_on(customers: Customers) -> None:
    """Wait until so many more orders have been placed."""
    wanted = len(customers.placed) + ORDERS

    def placed() -> None:
        assert customers.failures == []
        assert len(customers.placed) >= wanted

    eventually(placed, 120)


def begin(stage: Stage, version: Version, services: Sequence[str]) -> None:
    """Migrate the services' databases and start them, side by side."""

    def migrate_and_start(name: str) -> None:
        if not version.has(name):
            return
        stage.migrate(version, name)
        stage.start(version, name)

    with ThreadPoolExecutor() as pool:
        list(pool.map(migrate_and_start, services))


def replace(stage: Stage, customers: Customers, old: Version, new: Version, waves: Waves) -> None:
    """Put one wave of services after the other into its new version, as `helm upgrade` and `helm rollback` do."""
    stage.deploy(new)
    for wave in waves:
        begin(stage, new, wave)
        go_on(customers)  # both versions are members of the consumer group
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: stage.stop(old, name), wave))
        go_on(customers)
    must_all_end(stage, [order.order_id for order in customers.placed])


def must_all_end(stage: Stage, order_ids: list[int]) -> None:
    """Wait until each of the orders is final, while others are placed."""
    pending = "SELECT count(*) FROM orders WHERE status = 'PENDING' AND order_id = ANY(%s)"

    def ended() -> None:
        assert count(stage.stack.postgres.dsn("order_svc"), pending, order_ids) == 0

    eventually(ended, 120, every=0.5)


def there_and_back(released: Version, folder: Path, waves: Waves) -> None:
    """Place orders all the while from the release before to this version and back; see that nothing is lost."""
    with servers(folder / "stack") as stack:
        stage = Stage(stack, released, PRESENT)
        stage.deploy(released)
        begin(stage, released, NAMES)
        shop = Shop(stack)
        product_id = shop.product(stock=STOCK)
        letters = [f"{name}.dlq" for name in NAMES]
        addresses = lambda: [replica.grpc for replica in stage.running("order_svc")]  # noqa: E731 - one line says it
        with taped(stack.bootstrap, *letters) as dead:
            with Customers(addresses, product_id) as customers:
                go_on(customers)
                replace(stage, customers, released, PRESENT, waves)
                replace(stage, customers, PRESENT, released, waves)
            assert customers.failures == []
            finals = shop.finals(customers.placed, 60)
            assert dead.until(0) == []
        shop.close()
        state = StoredState(stack, finals)
    state.must_agree()
    assert set(state.reasons()) == {"", "UNDELIVERABLE_ADDRESS"}
    taken = sum(order.quantity for order in finals if order.status == order_pb2.ORDER_STATUS_COMPLETED)
    asked = dict(customers.repeated)
    print(f"{len(finals)} orders, {taken} pieces; asked again: {asked}")  # for whoever asks for it with -s
