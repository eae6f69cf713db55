"""Each record gains a field with a default, and services of both versions run side by side, in either order.

The real handlers, engine, codec and generator, on stores and a log in memory. What one version wrote - messages that
come again, starts of sagas - is read by the other, and whoever runs announces and asks again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Message as KafkaMessage
from ordersaga.messages import RECORDS, OrderCancelRequested, OrderCreated

from devstack.layout import MANIFESTS
from orchestrator_svc.order_saga import note
from order_svc.orders import CancelRequest, Order, OrderStatus, announcements
from product_svc.stock import Shelf
from sagakit.avro.codec import Codec
from sagakit.consumer.dispatch import Handle, Handler, dispatcher
from sagakit.dead_letters.letter import dead_letter, read_letter
from sagakit.errors import Poison
from sagakit.messages import Encoded, Message, Outgoing
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.rows import SagaRows
from sagakit.postgres.pipeline import Deferred, Pipeline, Row, Transaction
from sagakit.records import Record, same
from sagakit.saga import Cancel, Saga
from sagakit.saga.instance import Event, Instance
from sagakit.testing.world.database import Database, MemoryTransaction, of
from sagakit.testing.world.registry import MemoryRegistry
from sagakit.testing.world.sagas import MemorySagaStore
from tests.chaos.simulation.services import HANDLERS, SAGA
from tests.chaos.simulation.stores import in_memory
from tests.support.grown import CONTRACTS, Contracts, converter, grown
from tests.unit.orchestrator_svc.messages import CREATED

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTE = {"name": "gift_note", "type": "string", "default": ""}
TEXT = {"max_len": 100, "pattern": r"^[^\x00]*$"}
PLAYERS = {name: MANIFESTS[name] for name in (*HANDLERS, "orchestrator_svc")}
WRITERS = {record.TOPIC: name for name, manifest in PLAYERS.items() for record in manifest.writes}
READERS = {topic: name for name, manifest in PLAYERS.items() for topic in manifest.topics}
PLAYED = [record for record in RECORDS if record in {*SAGA.hears, *SAGA.commands}]
KINDS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any] | None, object]] = {
    "text": (NOTE, TEXT, "Happy birthday"),
    "number": ({"name": "gift_note", "type": "long", "default": 0}, {"gte": 0}, 7),
    "amount": ({"name": "gift_note", "type": "double", "default": 0}, {"gte": 0, "lte": 9}, 1.5),
    "yes-or-no": ({"name": "gift_note", "type": "boolean", "default": True}, None, False),
    "optional": ({"name": "gift_note", "type": ["null", "string"], "default": None}, TEXT, "Happy birthday"),
    "symbol": (
        {
            "name": "gift_note",
            "type": {"type": "enum", "name": "Gift", "symbols": ["NONE", "RIBBON"], "default": "NONE"},
            "default": "NONE",
        },
        None,
        "RIBBON",
    ),
}
"""What a later version may add: the field, its limits, and a value of it."""


class JsonSagas(MemorySagaStore):
    """Sagas in memory, whose starts are kept as the database keeps them."""

    def load(self, tx: Transaction, ids: Any) -> tuple[dict[int, Instance], datetime]:
        loaded, now = super().load(tx, ids)
        starts = of(tx).read("starts")
        return {one: self._rows.saga(_row(saga, starts[one])) for one, saga in loaded.items()}, now

    def save_if(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        known: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> Deferred[list[Row]]:
        stored = super().save_if(tx, changed, known, events)
        ids = {row.saga_id for row in stored()}
        for saga in changed:
            if saga.saga_id in ids and not known.get(saga.saga_id):
                of(tx).write("starts")[saga.saga_id] = self._rows.start(saga)
        return stored


def _row(saga: Instance, start: str) -> tuple[object, ...]:
    values = [getattr(saga, field.name) for field in fields(saga) if field.name != "fault"]
    return (values[0], start, *values[2:])


@dataclass
class Process:
    """One service's process, of one version."""

    codec: Codec
    convert: Callable[[Record], Record]
    handle: Handle


class House:
    """The services, each with its database, its version, and how far it has read of the one log."""

    def __init__(self, contracts: Contracts, field: str, new_content: object) -> None:
        """Begin with all of this version; the later one's ``contracts`` have ``new_content`` in ``field``."""
        self.versions = {False: CONTRACTS, True: contracts}
        self._registry, self._field, self._new_content = MemoryRegistry(), field, new_content
        for one in self.versions.values():
            self._registry.register(one.values())
        self._codecs = {later: self._registry.codec(one.values()) for later, one in self.versions.items()}
        self.databases = {name: Database() for name in READERS.values()}
        self.databases["product_svc"].tables["products"] = {CREATED.product_id: Shelf(CREATED.price, 100)}
        self.log: list[Encoded] = []
        self.reached = dict.fromkeys(self.databases, 0)
        self.roll_out()

    def roll_out(self, *later: str) -> None:
        """Have the services ``later`` run as the later version, and all others as this one."""
        self.processes = {name: self._start(name, later=name in later) for name in self.databases}

    def read_again(self) -> None:
        """Let every group go back to the beginning."""
        self.reached = dict.fromkeys(self.reached, 0)

    def place(self, order_id: int) -> None:
        content = (CREATED.user_id, CREATED.product_id, CREATED.quantity, CREATED.price, CREATED.address)
        self._note(Order(order_id, *content, OrderStatus.PENDING, None, NOW, NOW))

    def cancel(self, order_id: int) -> None:
        self._note(replace(self.order(order_id), cancel_request=CancelRequest("ann", "changed my mind", NOW)))

    def announce(self) -> None:
        """Announce all orders again, final ones too, as whoever runs now knows them."""
        for order in self.databases["order_svc"].rows("orders").values():
            self._publish("order_svc", [Outgoing(record) for record in announcements(order)])

    def settle(self, *, without: str = "") -> None:
        """Let every service read to the end, but for one."""
        while behind := [n for n, reached in self.reached.items() if reached < len(self.log) and n != without]:
            for name in behind:
                self._process(name)

    def order(self, order_id: int) -> Order:
        order: Order = self.databases["order_svc"].rows("orders")[order_id]
        return order

    def ends(self) -> dict[int, tuple[OrderStatus, str | None]]:
        orders = self.databases["order_svc"].rows("orders").values()
        return {order.order_id: (order.status, order.cancel_reason) for order in orders}

    @property
    def pieces(self) -> int:
        shelf: Shelf = self.databases["product_svc"].rows("products")[CREATED.product_id]
        return 100 - shelf.stock

    def _note(self, order: Order) -> None:
        orders = dict(self.databases["order_svc"].rows("orders"))
        self.databases["order_svc"].tables["orders"] = {**orders, order.order_id: order}
        self._publish("order_svc", [Outgoing(announcements(order)[-1])])

    def _start(self, name: str, *, later: bool) -> Process:
        contracts = self.versions[later]
        saga = saga_of(contracts)
        handle: Handle = SagaEngine(saga, JsonSagas(saga.start)).handle
        if name in HANDLERS:
            handle = dispatcher(*(Handler(contracts[h.record_type.FULL_NAME], h.function) for h in HANDLERS[name]))
        return Process(self._codecs[later], converter(contracts, self._field, self._new_content), handle)

    def _process(self, name: str) -> None:
        process, unread = self.processes[name], self.log[self.reached[name] :]
        self.reached[name] = len(self.log)
        batch = [
            Message(process.codec.decode(m.topic, m.key, m.value, dict(m.headers)), m.topic, 0, 0, "id", None)
            for m in unread
            if READERS[m.topic] == name
        ]
        if batch:
            tx = MemoryTransaction(self.databases[name], NOW)
            answers = process.handle(batch, cast("Pipeline", tx))
            tx.commit()
            self._publish(name, answers)

    def _publish(self, name: str, messages: Sequence[Outgoing]) -> None:
        process = self.processes[name]
        self.log += [process.codec.encode(one._replace(record=process.convert(one.record))) for one in messages]


def saga_of(contracts: Contracts) -> Saga:
    """Return the order saga of the version of ``contracts``; a cancel carries all of the order that it knows."""

    def of(record: type[Record]) -> type[Any]:
        return contracts[record.FULL_NAME]

    def order_in(request: Any) -> Record:
        order = of(OrderCreated)
        names = [field.name for field in fields(order)]
        return cast("Record", order(**{name: getattr(request, name) for name in names if hasattr(request, name)}))

    steps = tuple(replace(step, done=of(step.done), undone=of(step.undone)) for step in SAGA.steps)
    cancel = Cancel(of(OrderCancelRequested), start=order_in, note=note)
    return replace(SAGA, start=of(OrderCreated), steps=steps, cancel=cancel)


def play(house: House, first: str) -> None:
    """Roll the later version out, ``first`` in one service; then everywhere; then back. Nothing must be poison."""
    ends = {1: (OrderStatus.COMPLETED, None), 2: (OrderStatus.CANCELLED, "CANCEL_REQUESTED")}
    house.roll_out(first)
    house.place(1)
    house.settle()
    house.place(2)
    house.settle(without="delivery_svc")
    for later in ([first], [*house.databases], []):
        house.roll_out(*later)
        if later == [first]:
            house.cancel(2)
        else:
            house.read_again()
        house.settle()
        house.announce()
        house.settle()
        assert house.ends() == ends
        assert house.pieces == CREATED.quantity
    sent = {dict(message.headers)["message-type"] for message in house.log}
    assert sent == {record.FULL_NAME.encode() for record in PLAYED}


@pytest.fixture(params=["writer-first", "reader-first"])
def services(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """By topic, the service in which the later version runs first."""
    return WRITERS if request.param == "writer-first" else READERS


@pytest.mark.parametrize("record", PLAYED, ids=lambda record: record.__name__)
def test_a_record_gains_a_field_while_both_versions_run(
    record: type[Record], services: Mapping[str, str], tmp_path: Path
) -> None:
    contracts = grown(tmp_path, [record.__name__], NOTE, TEXT)
    with in_memory():
        play(House(contracts, "gift_note", "Happy birthday"), services[record.TOPIC])


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_and_its_cancel_gain_a_field_of_any_kind(
    kind: str, services: Mapping[str, str], tmp_path: Path
) -> None:
    field, limits, new_content = KINDS[kind]
    contracts = grown(tmp_path, ["OrderCreated", "OrderCancelRequested"], field, limits)
    with in_memory():
        play(House(contracts, "gift_note", new_content), services["order-created"])


@pytest.mark.parametrize("parked_by_the_later", [False, True])
def test_a_dead_letter_of_either_version_is_replayed_to_the_other(*, parked_by_the_later: bool, tmp_path: Path) -> None:
    versions = {False: CONTRACTS, True: grown(tmp_path, ["OrderCreated"], NOTE, TEXT)}
    registry = MemoryRegistry()
    for contracts in versions.values():
        registry.register(contracts.values())
    convert = converter(versions[parked_by_the_later], "gift_note", "Happy birthday")
    sent = registry.codec(versions[parked_by_the_later].values()).encode(Outgoing(convert(CREATED)))
    letter = dead_letter("orchestrator_svc", consumed(sent), Poison("UNKNOWN_SAGA", "it was not heard of"))
    found = read_letter(consumed(letter))
    reader = registry.codec(versions[not parked_by_the_later].values())
    read = reader.decode(found.source[0], found.source_key, letter.value, dict(found.headers))
    assert read.to_avro() == {**CREATED.to_avro(), **({} if parked_by_the_later else {"gift_note": ""})}


def consumed(message: Encoded) -> KafkaMessage:
    """Return ``message`` as Kafka's client hands it on."""
    topic, key, value, headers, *_ = message
    return KafkaMessage(topic=topic, partition=0, offset=0, key=key, value=value, headers=[*headers])


def test_other_content_is_recognised_all_the_same(tmp_path: Path) -> None:
    order = grown(tmp_path, ["OrderCreated"], NOTE, TEXT)[OrderCreated.FULL_NAME]
    content = CREATED.to_avro()
    plain, new_content, other = (
        order.from_avro({**content, "gift_note": text}) for text in ("", "Happy birthday", "Get well")
    )
    assert same(plain, new_content)
    assert same(new_content, plain)
    assert not same(new_content, other)
    assert not same(new_content, order.from_avro({**content, "gift_note": "", "quantity": CREATED.quantity + 1}))


def test_a_stored_symbol_that_this_version_does_not_know_is_read_as_the_enums_default(tmp_path: Path) -> None:
    kinds = {}
    for symbols in (["NONE", "RIBBON"], ["NONE", "RIBBON", "BOX"]):
        enum = {"type": "enum", "name": "Gift", "symbols": symbols, "default": "NONE"}
        field = {"name": "gift_note", "type": enum, "default": "RIBBON"}
        kinds[len(symbols)] = grown(tmp_path / str(len(symbols)), ["OrderCreated"], field, None)[OrderCreated.FULL_NAME]
    earlier, later = kinds[2], kinds[3]
    new_content = later.from_avro({**CREATED.to_avro(), "gift_note": "BOX"})
    saga = Instance(1, new_content, *[cast("Any", None)] * 11)
    read = SagaRows(earlier).saga((1, SagaRows(later).start(saga), "RUNNING", *[None] * 10))
    assert (read.start, read.fault) == (earlier.from_avro({**CREATED.to_avro(), "gift_note": "NONE"}), None)
