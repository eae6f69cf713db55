"""The checker catches what it should: each mutant breaks one promise, and the checker names the invariant it breaks.

Each situation is provoked twice: in a build that is broken, and in one that is not, in which the checker finds nothing.
So a verdict is about the mutant, and not about how it was provoked.
"""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import pytest
from ordersaga.messages import DecreaseProductCommand
from ordersaga.orchestrator.v1 import orchestrator_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.chaos.bench import Bench, failing, full, with_and_without
from tests.chaos.faulty_service import PROGRAM, FaultyService, fault_builds
from tests.chaos.nemeses_bytes import bomb, forge
from tests.chaos.nemeses_database import failed_over, retyped
from tests.chaos.nemeses_strangers import note_overdue, strange_database, strange_service, strange_transactions
from tests.chaos.placing import ORDERS
from tests.chaos.witness import Witness, witness
from tests.conftest import FIRST_START_SECONDS
from tests.support.registry import encode
from tests.support.renumbered import renumbered
from tests.support.shop import CANCELLED, PENDING, PRICE, Shop

SETTINGS = {"OUTBOX_AGE_SECONDS": "1", "OUTBOX_INTERVAL_SECONDS": "0.2", "TIMER_INTERVAL_SECONDS": "0.2"}
"""Sagas wait a minute as usual: no timer heals what a mutant has broken before the checker has seen it."""
OVERTAKEN = {
    "product_svc": ("decrease-product-command", "ProductDecreased", "and holds 2 pieces"),
    "delivery_svc": ("create-delivery-command", "DeliveryCreated", "and has a live delivery"),
}
"""By service: the topic of the command that comes late, its answer, and what the checker says if it has its effect."""

_LOOKS_SECONDS = 4.0
"""Within which the timers look several times, and a service starts."""
_SETTLES_SECONDS = 5.0
"""A consumer that was refused for a moment tries again within a second or two."""

pytestmark = pytest.mark.timeout(FIRST_START_SECONDS)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because what mutants have done stays in the databases."""
    own = Stack.fresh(tmp_path_factory.mktemp("mutants"))
    own.postgres.remove()
    try:
        own.up()
        yield own
    finally:
        own.down()
        own.postgres.remove()


@pytest.fixture(scope="module")
def workshop(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, FaultyService], Witness]]:
    """All four services as their fault builds, and somebody who watches them."""
    with fault_builds(stack, tmp_path_factory.mktemp("fuses"), SETTINGS) as builds, witness(stack) as watching:
        yield builds, watching


@pytest.fixture
def bench(stack: Stack, workshop: tuple[dict[str, FaultyService], Witness], shop: Shop) -> Iterator[Bench]:
    """Where a mutant is tried out."""
    builds, watching = workshop
    for build in builds.values():
        build.fuse.disarm()
    with ThreadPoolExecutor(4) as pool, ExitStack() as provoking:
        yield Bench(stack, builds, watching, shop, pool, provoking)


@with_and_without("takes-stock-again")
def test_stock_that_is_taken_again_for_a_redelivered_batch_breaks_2(bench: Bench, mutant: str, broken: bool) -> None:
    bench.crashes("product_svc", mutant, at="consumer:before-offset-commit", orders=3)
    bench.saw("ProductDecreased", 4)
    bench.placing.ended()
    bench.verdict(broken=broken, invariant=2, text="are held by orders")


@with_and_without("takes-stock-again")
def test_stock_that_is_taken_again_for_a_command_sent_twice_breaks_2(bench: Bench, mutant: str, broken: bool) -> None:
    bench.begin("product_svc", mutant)
    bench.placing.begin_good(2)
    bench.placing.ended()
    bench.saw("DecreaseProductCommand", 2)  # the tape may be behind the orders
    bench.send_again("DecreaseProductCommand")
    bench.saw("ProductDecreased", 4)
    bench.verdict(broken=broken, invariant=2, text="are in completed orders")


@pytest.mark.parametrize("name", NAMES)
@with_and_without("commits-offsets-first")
def test_offsets_committed_before_the_database_break_7(bench: Bench, name: str, mutant: str, broken: bool) -> None:
    bench.crashes(name, mutant, at="consumer:before-commit", orders=2)
    bench.verdict(broken=broken, invariant=7, text=f"{name} had committed")


def test_an_order_that_nobody_reads_of_any_more_breaks_1_and_8_as_well(bench: Bench) -> None:
    bench.crashes("orchestrator_svc", "commits-offsets-first", at="consumer:before-commit", orders=1)
    bench.placing.must_violate(1, "is PENDING after the bound")
    bench.placing.must_violate(8, "there is no saga")


@with_and_without("rewinds-too-far")
def test_messages_that_are_skipped_and_asked_for_again_long_after_the_fault_break_12(
    bench: Bench, mutant: str, broken: bool
) -> None:
    build = bench.begin("product_svc", mutant, provokes=False)
    refusing = failed_over(bench.stack, ["product_svc"], ended_again=False)
    with bench.witness.fault("read-only", ["postgres"], settles=_SETTLES_SECONDS), refusing:
        bench.placing.begin_good(3)
        bench.saw("DecreaseProductCommand", 3)
        build.logs("batch rewound")
    if not broken:
        bench.placing.ended()
    time.sleep(_SETTLES_SECONDS)  # from here on the fault explains nothing
    bench.let_pass(seconds=60)
    bench.placing.ended()
    bench.verdict(broken=broken, invariant=12, text="command sent again by time, DecreaseProductCommand")


@with_and_without("publishes-before-commit")
def test_answers_that_are_published_at_each_try_to_commit_break_12(bench: Bench, mutant: str, broken: bool) -> None:
    build = bench.begin("product_svc", mutant, provokes=False)
    with bench.witness.fault("refusing", ["postgres"]), full(bench.witness.reader, "product_svc", "stock_movements"):
        bench.placing.begin()
        bench.saw("DecreaseProductCommand", ORDERS)
        build.logs("batch rewound")
        time.sleep(_SETTLES_SECONDS)  # so that it tries several times
    bench.placing.finals()
    bench.verdict(broken=broken, invariant=12, text="message handled again, ProductDecreased")


@pytest.mark.parametrize("name", OVERTAKEN)
@with_and_without("leaves-no-tombstone")
def test_a_command_that_its_undo_has_overtaken_and_that_finds_no_tombstone_breaks_3(
    bench: Bench, name: str, mutant: str, broken: bool
) -> None:
    topic, answer, text = OVERTAKEN[name]
    bench.begin(name, mutant)
    orchestrator = bench.builds["orchestrator_svc"]
    orchestrator.become("keeps-late-successes")  # a second guard, which would heal it
    orchestrator.fuse.arm(f"consumer:late:{topic}")
    bench.placing.begin_good(1)
    orchestrator.reaches(f"consumer:late:{topic}")
    for order in bench.placing.answered():
        bench.shop.cancel(order)
    assert [order.status for order in bench.placing.ended()] == [CANCELLED]
    orchestrator.fuse.arm("consumer:let-go")
    orchestrator.reaches("consumer:let-go")
    bench.saw(answer, 1)
    bench.verdict(broken=broken, invariant=3, text=text)


@with_and_without("ignores-versions", otherwise="locks-no-saga")
def test_a_saga_that_a_slow_timer_stores_over_a_reply_breaks_6(bench: Bench, mutant: str, broken: bool) -> None:
    build = bench.begin("orchestrator_svc", mutant)
    silent = bench.builds["product_svc"]
    silent.service.stop()
    bench.placing.begin_good(2)
    orders = [order.order_id for order in bench.placing.answered()]
    bench.saw("DecreaseProductCommand", 2)
    everyone = orchestrator_pb2.SagaFilter(order_ids=orders)
    retry = orchestrator_pb2.RetrySagasRequest(filter=everyone, actor="test", reason="a timer is to be at work")
    assert len(bench.shop.sagas.RetrySagas(retry, timeout=10).results) == 2
    silent.start()
    assert PENDING not in {order.status for order in bench.placing.ended()}
    if broken:
        bench.saw("DecreaseProductCommand", 4)  # the timer has stored, and sent what it thinks is pending
    else:
        build.logs("changed by another replica meanwhile")  # so the store has refused what the timer wanted to store
    bench.verdict(broken=broken, invariant=6, text="its history leads to COMPLETED")


@with_and_without("relays-nothing")
def test_a_relay_that_leaves_the_rows_of_a_crash_where_they_are_breaks_5(
    bench: Bench, mutant: str, broken: bool
) -> None:
    bench.crashes("order_svc", mutant, at="origin:before-publish", orders=2)
    bench.placing.answered()
    bench.verdict(broken=broken, invariant=5, text="is still in the outbox")


@with_and_without("removes-before-it-relays")
def test_a_relay_that_removes_rows_before_kafka_has_them_breaks_5(bench: Bench, mutant: str, broken: bool) -> None:
    bench.crashes("order_svc", mutant, at="relay:before-publish", orders=2)
    bench.placing.answered()
    bench.verdict(broken=broken, invariant=5, text="never came to order-created")


@with_and_without("blames-the-data")
def test_a_command_that_is_parked_because_its_database_is_read_only_breaks_9(
    bench: Bench, mutant: str, broken: bool
) -> None:
    build = bench.begin("product_svc", mutant)
    with failed_over(bench.stack, ["product_svc"], ended_again=False):
        bench.placing.begin_good(3)
        bench.saw("DecreaseProductCommand", 3)
        if broken:
            bench.placing.parked()
        else:
            build.logs("batch rewound")
    bench.verdict(broken=broken, invariant=9, text="is good, and was parked")


@with_and_without("keeps-stale-statements")
def test_a_command_that_is_parked_because_its_table_was_altered_breaks_9(
    bench: Bench, mutant: str, broken: bool
) -> None:
    build = bench.begin("delivery_svc", mutant)
    bench.placing.begin_good(2)
    bench.placing.ended()  # so its statements are prepared
    with retyped(bench.witness.reader, ["delivery_svc"], "varchar(600)"):
        bench.placing.begin_good(2)
        bench.saw("CreateDeliveryCommand", 2)
        if broken:
            bench.placing.parked()
        else:
            build.logs("transaction is done again")
    bench.verdict(broken=broken, invariant=9, text="is good, and was parked")


@with_and_without("trusts-schemas")
def test_a_bomb_that_ends_the_process_breaks_9(bench: Bench, mutant: str, broken: bool) -> None:
    build = bench.begin("orchestrator_svc", mutant)
    bench.placing.begin_good(1)
    bench.placing.ended()
    bench.saw("OrderCreated", 1)  # the tape may be behind the orders
    (start,) = bench.records("OrderCreated")
    what = bomb(bench.stack.registry_url, Random(1), start, "a list, deep")
    forge(bench.witness, bench.stack.bootstrap, [what])
    if broken:
        assert build.dies() == -signal.SIGSEGV
    bench.verdict(broken=broken, invariant=9, text="was forged, and was not parked")


@with_and_without("believes-ids")
def test_a_command_that_is_parked_because_its_schema_has_another_id_now_breaks_9(
    bench: Bench, mutant: str, broken: bool
) -> None:
    build = bench.begin("product_svc", mutant)
    with renumbered(bench.stack.registry_url) as door:
        door.shift = 1  # each id means what another one meant
        with bench.witness.tape.relearning(door.url):
            build.restart(mutant, SCHEMA_REGISTRY_URL=door.url)
        bench.placing.begin_good(2)
        if broken:
            bench.placing.parked()
        else:
            bench.placing.ended()
        build.restart(mutant)
    bench.verdict(broken=broken, invariant=9, text="is good, and was parked")


@with_and_without("counts-markers")
def test_a_saga_that_is_not_asked_again_because_of_a_transaction_marker_breaks_11(
    bench: Bench, mutant: str, broken: bool
) -> None:
    bench.begin("orchestrator_svc", mutant)
    silent = bench.builds["product_svc"]
    silent.service.stop()
    bench.placing.begin_good(1)
    bench.saw("DecreaseProductCommand", 1)
    with strange_transactions(bench.stack.bootstrap, Random(1), bench.records("OrderCreated")):
        bench.witness.wait_until_read(["orchestrator_svc"])  # it reads an order that is announced again, too
        bench.let_pass(seconds=60)
        if broken:
            time.sleep(_LOOKS_SECONDS)
        else:
            bench.asked_again()
        note_overdue(bench.witness)
    silent.start()
    bench.verdict(broken=broken, invariant=11, text="was not asked again")


@with_and_without("checks-no-limits")
def test_a_forged_command_that_is_obeyed_breaks_9(bench: Bench, mutant: str, broken: bool) -> None:
    bench.begin("product_svc", mutant)
    late = bench.builds["orchestrator_svc"]
    late.service.stop()
    bench.placing.begin_good(1)
    (order,) = bench.placing.answered()
    command = DecreaseProductCommand(order_id=order.order_id, product_id=bench.placing.plenty, quantity=-5, price=PRICE)
    with bench.witness.reader.connect("product_svc") as owner:  # the table's own limits would be a second wall
        owner.execute(b"ALTER TABLE stock_movements DROP CONSTRAINT IF EXISTS stock_movements_limits")
    encoded = encode(bench.stack.registry_url, command)
    headers = {name: value or b"" for name, value in encoded.headers}
    forge(bench.witness, bench.stack.bootstrap, [(encoded.topic, encoded.key, encoded.value, headers)])
    if broken:
        bench.saw("ProductDecreased", 1)
    else:
        bench.placing.parked()
    late.start()
    bench.verdict(broken=broken, invariant=9, text="was forged, and was not parked")


@with_and_without("halts-for-good")
def test_a_halt_that_outlives_its_cause_breaks_1(bench: Bench, mutant: str, broken: bool) -> None:
    build = bench.begin("product_svc", mutant)
    with ExitStack() as cause:
        with failed_over(bench.stack, ["product_svc"], ended_again=False):  # so that many lie there at once
            bench.placing.begin_good(12)
            bench.saw("DecreaseProductCommand", 12)
            cause.enter_context(failing(bench.witness.reader, "product_svc", "stock_movements"))
        build.logs("consuming is halted")
    bench.verdict(broken=broken, invariant=1, text="is PENDING after the bound")


@with_and_without("looks-at-no-claim")
def test_a_second_installation_that_is_let_in_breaks_13(bench: Bench, mutant: str, broken: bool) -> None:
    bench.begin("product_svc", "")
    ours = bench.builds["product_svc"]
    with strange_database(bench.stack, "product_svc") as dsn:
        ours.service.stop()
        program, settings = (*PROGRAM, "product_svc"), {"MUTANT": mutant, "FAULT_FLAG": "never"}
        with strange_service(bench.stack, "product_svc", dsn, *program, **settings):
            bench.placing.begin_good(1)
            bench.saw("DecreaseProductCommand", 1)
            if broken:
                bench.saw("ProductDecreased", 1)
            else:
                time.sleep(_LOOKS_SECONDS)
        ours.start()
    # Ours finds that something is handled that its database does not have, takes the pieces, and has to give them back.
    bench.verdict(broken=broken, invariant=13, text="was cancelled as UNKNOWN_PRODUCT, which nothing explains")
