"""Where a mutant is tried out: the four services as fault builds, one of them broken, and a customer of one test."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from devstack.services import NAMES
from devstack.stack import Stack
from tests.chaos.evidence import Record
from tests.chaos.faulty_fuse import EXIT_CODE
from tests.chaos.faulty_service import FaultyService
from tests.chaos.placing import Placing
from tests.chaos.recorder_rows import Reader
from tests.chaos.witness import Witness
from tests.support.kafka import send
from tests.support.shop import Shop
from tests.support.wait import eventually


def with_and_without(mutant: str, otherwise: str = "") -> pytest.MarkDecorator:
    """Try it with nothing broken (or with ``otherwise``, which breaks no promise), and with ``mutant``.

    In a module those with nothing broken come first: a service has to start anew for each mutant alone.
    """
    cases = [(otherwise, False), (mutant, True)]
    return pytest.mark.parametrize(("mutant", "broken"), cases, ids=[otherwise or "as-it-is", mutant], scope="module")


@dataclass
class Bench:
    """The four services as fault builds, one of which may be a mutant, and the customer of one test."""

    stack: Stack
    builds: dict[str, FaultyService]
    witness: Witness
    shop: Shop
    pool: ThreadPoolExecutor
    provoking: ExitStack
    """Ends with the test."""
    placing: Placing = field(init=False)

    def begin(self, name: str, mutant: str, *, provokes: bool = True) -> FaultyService:
        """Run the service ``name`` as ``mutant`` and the others as they are, with a customer of its own.

        Where the test ``provokes``, that explains to the checker whatever is healed. Else only the faults do that it
        notes itself.
        """
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: self.builds[one].become(mutant if one == name else ""), NAMES))
        eventually(self._outbox_is_empty)
        self.witness.wait_until_read()  # or what is left of another test would meet this one's crash point
        with self.witness.reader.connect("orchestrator_svc") as sagas:  # and what mutants broke, this one's timers
            sagas.execute(b"UPDATE sagas SET deadline = NULL WHERE deadline IS NOT NULL")
        self.placing = Placing(self.shop, self.witness, self.pool)
        if provokes:
            self.provoking.enter_context(self.witness.fault("provoked", [*NAMES, "kafka"]))
        return self.builds[name]

    def _outbox_is_empty(self) -> None:
        assert self.witness.reader.everything().outbox == []

    def crashes(self, name: str, mutant: str, *, at: str, orders: int) -> None:
        """Begin as `begin` does, with so many ``orders``; see the service die ``at`` a point, and start it again."""
        build = self.begin(name, mutant)
        build.fuse.arm(at)
        self.placing.begin_good(orders)
        assert build.dies() == EXIT_CODE
        self.witness.sample(name)  # how far it had come by then
        build.start(mutant)

    def saw(self, record_type: str, count: int) -> None:
        """Wait until the topics hold ``count`` records of a type about the customer's orders."""
        self.placing.saw(record_type, count)

    def records(self, record_type: str) -> list[Record]:
        """Return the records of a type about the customer's orders."""
        return self.placing.records(record_type)

    def let_pass(self, *, seconds: int) -> None:
        """Let the deadlines of the customer's sagas have passed for so long; who has ended waits for nothing."""
        orders = [order.order_id for order in self.placing.answered()]
        under_way = "saga_id = ANY(%s) AND deadline IS NOT NULL"
        with self.witness.reader.connect("orchestrator_svc") as sagas:
            passed = f"UPDATE sagas SET deadline = now() - make_interval(secs => %s) WHERE {under_way}"  # noqa: S608 - constants
            sagas.execute(passed, [seconds, orders])

    def asked_again(self) -> None:
        """Wait until the timers have seen to every one of the customer's sagas that was overdue."""
        orders = [order.order_id for order in self.placing.answered()]
        overdue = "SELECT saga_id FROM sagas WHERE deadline < now() AND saga_id = ANY(%s)"

        def none_is_overdue() -> None:
            with self.witness.reader.connect("orchestrator_svc") as sagas:
                assert sagas.execute(overdue, [orders]).fetchall() == []

        eventually(none_is_overdue, 30.0)

    def send_again(self, record_type: str) -> None:
        """Send every record of a type about the customer's orders again, as it was."""
        for record in self.records(record_type):
            send(self.stack.bootstrap, record.place.topic, record.key, record.value, record.headers)

    def verdict(self, *, broken: bool, invariant: int, text: str) -> None:
        """See that the checker names the invariant, with ``text``, if it is broken, and finds nothing otherwise."""
        if broken:
            self.placing.must_violate(invariant, text)
        else:
            self.placing.ended()
            self.placing.must_be_in_order()


@contextmanager
def failing(reader: Reader, service: str, table: str) -> Iterator[None]:
    """Let every change of a table fail meanwhile for a reason that no message is to blame for: a trigger with a bug."""
    trigger = f"TRIGGER fails BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fails()"
    with _failing(reader, service, "RAISE EXCEPTION 'a bug'", trigger):
        yield


@contextmanager
def full(reader: Reader, service: str, table: str) -> Iterator[None]:
    """Let there be no room meanwhile for what is new in a table, as a commit finds."""
    new = f"CONSTRAINT TRIGGER fails AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
    with _failing(
        reader,
        service,
        "RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'",
        f"{new} FOR EACH ROW EXECUTE FUNCTION fails()",
    ):
        yield


@contextmanager
def _failing(reader: Reader, service: str, failure: str, trigger: str) -> Iterator[None]:
    function = f"FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {failure}; END $$"
    with reader.connect(service) as owner:
        owner.execute(b"SET default_transaction_read_only = off")
        owner.execute(f"CREATE {function}; CREATE {trigger}".encode())
    try:
        yield
    finally:
        with reader.connect(service) as owner:
            owner.execute(b"DROP FUNCTION fails CASCADE")
