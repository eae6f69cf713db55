"""Stock on a real database: whoever comes at once, nothing is sold twice and nothing is taken twice."""

import random
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from ordersaga.messages import DecreaseProductCommand, IncreaseProductCommand, ProductDecreased, ProductIncreased

from devstack.stack import Stack
from product_svc import store
from product_svc.handlers import decrease_product, increase_product
from sagakit.errors import Poison, Unavailable
from sagakit.families import passes
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Rows
from tests.support.scratch import database_of, migrated_database
from tests.support.wait import eventually

PRICE = 500


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "product_svc"), size=10)
    yield database
    database.close()


def product(database: Database, stock: int) -> int:
    with database.transaction() as tx:
        return store.create(tx, "A thing", PRICE, stock).product_id


def stock(database: Database, product_id: int) -> int:
    with database.transaction() as tx:
        found = store.get(tx, product_id)
    assert found is not None
    return found.stock


def take(order_id: int, product_id: int, quantity: int = 1, price: int = PRICE) -> DecreaseProductCommand:
    return DecreaseProductCommand(order_id=order_id, product_id=product_id, quantity=quantity, price=price)


def decrease(database: Database, *commands: DecreaseProductCommand) -> list[ProductDecreased]:
    """Handle one batch, again where the database or another replica was in the way, as the consumer does."""
    while True:
        try:
            with database.pipeline() as pipeline:
                return list(decrease_product(commands, pipeline))
        except Exception as error:
            if not isinstance(error, Unavailable) and not passes(error):
                raise


def increase(database: Database, *commands: IncreaseProductCommand) -> list[ProductIncreased]:
    with database.pipeline() as pipeline:
        return list(increase_product(commands, pipeline))


def give_back(command: DecreaseProductCommand) -> IncreaseProductCommand:
    return IncreaseProductCommand(order_id=command.order_id, product_id=command.product_id, quantity=command.quantity)


def done(order_id: int) -> ProductDecreased:
    return ProductDecreased(order_id=order_id, success=True, reason=None)


def refused(order_id: int, reason: str) -> ProductDecreased:
    return ProductDecreased(order_id=order_id, success=False, reason=reason)


def test_the_same_command_five_times_takes_once_and_is_answered_the_same(database: Database) -> None:
    shelf = product(database, 10)
    assert [decrease(database, take(101, shelf, 4)) for _ in range(5)] == [[done(101)]] * 5
    assert stock(database, shelf) == 6


def test_a_refusal_is_an_answer_that_stays_even_when_the_stock_comes(database: Database) -> None:
    shelf = product(database, 1)
    assert decrease(database, take(111, shelf, 2)) == [refused(111, "OUT_OF_STOCK")]
    with database.transaction() as tx:
        store.lock_shelves(tx, [shelf])
        store.restock(tx, shelf, 100, None)
    assert decrease(database, take(111, shelf, 2)) == [refused(111, "OUT_OF_STOCK")]
    assert stock(database, shelf) == 101


def test_what_is_given_back_twice_comes_back_once(database: Database) -> None:
    shelf = product(database, 10)
    decrease(database, take(121, shelf, 4))
    for _ in range(3):
        assert increase(database, give_back(take(121, shelf, 4))) == [ProductIncreased(order_id=121)]
    assert stock(database, shelf) == 10
    assert decrease(database, take(121, shelf, 4)) == [refused(121, "UNDONE")]


def test_an_undo_before_its_do_leaves_a_tombstone_that_the_do_finds(database: Database) -> None:
    shelf = product(database, 10)
    assert increase(database, give_back(take(131, shelf))) == [ProductIncreased(order_id=131)]
    assert decrease(database, take(131, shelf)) == [refused(131, "UNDONE")]
    assert stock(database, shelf) == 10


def test_giving_back_what_was_refused_changes_no_stock(database: Database) -> None:
    shelf = product(database, 1)
    decrease(database, take(141, shelf, 2))
    increase(database, give_back(take(141, shelf, 2)))
    assert stock(database, shelf) == 1


@pytest.mark.parametrize("change", ["product", "quantity", "price"])
def test_a_repeat_with_other_content_is_poison_and_changes_nothing(database: Database, change: str) -> None:
    shelf, other = product(database, 10), product(database, 10)
    order_id = 150 + len(change)
    decrease(database, take(order_id, shelf, 2))
    forged = {
        "product": take(order_id, other, 2),
        "quantity": take(order_id, shelf, 3),
        "price": take(order_id, shelf, 2, PRICE + 1),
    }[change]
    with pytest.raises(Poison) as caught:
        decrease(database, forged)
    assert caught.value.reason == "REUSED_ID"
    assert (stock(database, shelf), stock(database, other)) == (8, 10)


def test_an_undo_of_other_content_is_poison(database: Database) -> None:
    shelf = product(database, 10)
    decrease(database, take(161, shelf, 2))
    with pytest.raises(Poison):
        increase(database, give_back(take(161, shelf, 3)))
    assert stock(database, shelf) == 8


def test_in_one_batch_the_first_come_get_the_last_pieces(database: Database) -> None:
    shelf = product(database, 3)
    assert decrease(database, take(173, shelf, 2), take(172, shelf, 2), take(171, shelf, 1)) == [
        done(173),
        refused(172, "OUT_OF_STOCK"),
        done(171),
    ]
    assert stock(database, shelf) == 0


def test_an_order_at_another_price_is_refused_though_there_is_plenty(database: Database) -> None:
    shelf = product(database, 10)
    assert decrease(database, take(181, shelf, price=PRICE + 1)) == [refused(181, "PRICE_CHANGED")]
    assert decrease(database, take(182, shelf), take(183, shelf, price=1)) == [done(182), refused(183, "PRICE_CHANGED")]
    assert stock(database, shelf) == 9


def test_the_last_piece_that_another_batch_is_taking_is_not_promised_again(database: Database) -> None:
    shelf = product(database, 1)

    def waits() -> None:
        with database.transaction() as tx:
            waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            assert tx.execute(waiting).fetchall()

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as other:
            other.execute("UPDATE products SET stock = 0 WHERE product_id = %(id)s", {"id": shelf}).fetchall()
            answers = pool.submit(decrease, database, take(191, shelf))
            eventually(waits)
        assert answers.result(10) == [refused(191, "OUT_OF_STOCK")]
    assert stock(database, shelf) == 0


def test_a_restock_is_added_once_for_its_request_id(database: Database) -> None:
    shelf, request_id = product(database, 10), str(uuid.uuid4())

    def restock() -> bool:
        with database.transaction() as tx:
            store.lock_shelves(tx, [shelf])
            return store.restock(tx, shelf, 5, request_id)

    assert [restock() for _ in range(3)] == [True, False, False]
    assert stock(database, shelf) == 15


def test_where_there_is_plenty_a_whole_batch_is_one_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one would be a round trip more, which is most of what a batch costs."""
    shelf, statements, execute = product(database, 100), list[str](), Pipeline.execute

    def counted(pipeline: Pipeline, query: str, parameters: Mapping[str, object] | None = None) -> Rows:
        statements.append(query)
        return execute(pipeline, query, parameters)

    monkeypatch.setattr(Pipeline, "execute", counted)
    batch = [take(3000 + number, shelf) for number in range(20)]
    assert decrease(database, *batch) == [done(command.order_id) for command in batch]
    assert len(statements) == 1


def test_batches_that_come_at_once_never_oversell(database: Database) -> None:
    shelves = [product(database, 50) for _ in range(3)]
    dice = random.Random(7)  # noqa: S311 - the same every time
    commands = [take(1000 + number, dice.choice(shelves), dice.randint(1, 3)) for number in range(240)]
    batches = [commands[at : at + 12] for at in range(0, 240, 12)]
    with ThreadPoolExecutor(8) as pool:
        answers = [answer for batch in pool.map(lambda batch: decrease(database, *batch), batches) for answer in batch]
    taken = {answer.order_id for answer in answers if answer.success}
    assert {answer.reason for answer in answers} == {None, "OUT_OF_STOCK"}
    for shelf in shelves:
        sold = sum(one.quantity for one in commands if one.product_id == shelf and one.order_id in taken)
        assert stock(database, shelf) == 50 - sold >= 0


def test_the_same_batch_in_two_replicas_at_once_takes_once(database: Database) -> None:
    shelf = product(database, 100)
    batch = [take(2000 + number, shelf) for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: decrease(database, *batch), range(4)))
    assert answers == [[done(command.order_id) for command in batch]] * 4
    assert stock(database, shelf) == 80
