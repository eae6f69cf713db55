"""Mutants of a fault build, by name: each deliberately breaks one promise, and the checker finds it."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import fastavro
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from ordersaga.messages import DecreaseProductCommand, ProductDecreased

import delivery_svc.store
import product_svc.handlers
import product_svc.store
import sagakit.orchestrator.store
import sagakit.saga.advance
from delivery_svc.deliveries import UNDONE, Delivery, Wanted
from sagakit.avro import untrusted_values
from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import Schemas
from sagakit.avro.untrusted_schemas import Writer
from sagakit.consumer.batch_handler import BatchHandler, Failed
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handler
from sagakit.consumer.halt import Halt
from sagakit.errors import Poison, Unavailable
from sagakit.families import Family
from sagakit.kafka import group_owner
from sagakit.kafka.consumed import Partition, source
from sagakit.messages import Encoded, Message
from sagakit.offsets.handled import Offsets
from sagakit.orchestrator.database_clock import DatabaseClock
from sagakit.orchestrator.store import SagaStore
from sagakit.outbox import relay
from sagakit.outbox.relay import Relay
from sagakit.postgres import error_families
from sagakit.postgres.pipeline import Deferred, Pipeline, Transaction
from sagakit.postgres.sql import text_of
from sagakit.records import Record
from sagakit.runtime.set_aside import Claim
from sagakit.saga.instance import Instance

_LONGEST_WAIT_SECONDS = 30.0


def takes_stock_again() -> None:
    """product_svc takes stock for a repeated command as it did for the first: that it has a row for it is no matter."""
    take = product_svc.handlers.decrease_product.function

    def faulty(commands: Sequence[DecreaseProductCommand], pipeline: Pipeline) -> Sequence[ProductDecreased]:
        products, orders = ([one.product_id for one in commands], [one.order_id for one in commands])
        _, known = product_svc.store.lock(pipeline, products, orders)
        answers = take(commands, pipeline)
        pieces = product_svc.store._pieces(known.values(), -1)  # noqa: SLF001 - a mutant knows what it breaks
        product_svc.store._change_stock(pipeline, pieces)  # noqa: SLF001 - the same
        return answers

    product_svc.handlers.decrease_product = Handler(DecreaseProductCommand, faulty)


def commits_offsets_first() -> None:
    """A consumer commits a batch's offsets before it does anything about the batch."""
    work = Consumer._work  # noqa: SLF001 - a mutant knows what it breaks

    def faulty(self: Consumer, batch: Sequence[KafkaMessage]) -> Failed:
        reached = {source(message)[:2]: source(message)[2] + 1 for message in batch}
        self._offsets.forget(reached)  # of what came before nothing is committed any more, as that would be less
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in reached.items()]
        done = self._membership.client.commit(offsets=offsets, asynchronous=False)
        if any(one.error for one in done):  # in a rebalance it is refused partition by partition, without a word
            msg = "offsets are not committed yet"
            raise Unavailable(msg)
        return work(self, batch)

    Consumer._work = faulty  # type: ignore[method-assign] # noqa: SLF001 - that is what a mutant does


def rewinds_too_far() -> None:
    """A consumer that rewinds a batch goes on behind the first message of each partition."""
    rewind = Consumer._rewind  # noqa: SLF001 - a mutant knows what it breaks

    def faulty(self: Consumer, batch: Sequence[KafkaMessage], ends: Sequence[KafkaMessage]) -> None:
        rewind(self, batch, ends)
        first: dict[tuple[str, int], int] = {}
        for topic, partition, offset in map(source, batch):
            first.setdefault((topic, partition), offset)
        for (topic, partition), offset in first.items():
            self._membership.client.seek(TopicPartition(topic, partition, offset + 1))

    Consumer._rewind = faulty  # type: ignore[method-assign] # noqa: SLF001 - that is what a mutant does


def publishes_before_commit() -> None:
    """A consumer publishes what a batch answers, and then commits its effects."""
    react = BatchHandler._react  # noqa: SLF001 - a mutant knows what it breaks

    def faulty(
        self: BatchHandler, messages: Sequence[Message[Record]], pipeline: Pipeline, before: Mapping[Partition, int]
    ) -> list[Encoded]:
        self._producer.deliver(react(self, messages, pipeline, before))
        return []

    BatchHandler._react = faulty  # type: ignore[method-assign] # noqa: SLF001 - that is what a mutant does


def leaves_no_tombstone() -> None:
    """product_svc and delivery_svc undo what they never heard of without a trace."""
    move, deliver = product_svc.store.add_movements, delivery_svc.store.add

    def faulty(tx: Transaction, wanted: Sequence[tuple[Wanted, str | None]]) -> Deferred[dict[int, Delivery]]:
        added = deliver(tx, wanted)
        traces = [delivery.order_id for delivery in added().values() if delivery.refusal == UNDONE]
        tx.execute("DELETE FROM deliveries WHERE order_id = ANY(%(ids)s)", {"ids": traces})
        return added

    product_svc.store.add_movements = lambda tx, movements: move(tx, [one for one in movements if not one.undone])
    delivery_svc.store.add = faulty


def locks_no_saga() -> None:
    """Sagas are loaded, and without a lock, so that only the version check is left; and the timers are slow, once.

    They linger between loading what an operator asked for and storing it, until replies have brought those sagas to
    their ends.
    """
    _reword(sagakit.orchestrator.store, "_LOAD", " FOR NO KEY UPDATE")
    _reword(sagakit.orchestrator.store, "_CLAIM", " FOR UPDATE SKIP LOCKED")
    DatabaseClock.now = lambda *_: None  # type: ignore[method-assign] # so nothing that is remembered is of use
    claim_due = SagaStore.claim_due
    lingered: list[Instance] = []

    def faulty(self: SagaStore, tx: Transaction, claim: Claim, *, all_due: bool) -> dict[int, Instance]:
        claimed = claim_due(self, tx, claim, all_due=all_due)
        asked = [instance for instance in claimed.values() if instance.attempt == 0]
        if asked and not lingered:
            lingered.extend(asked)
            give_up = time.monotonic() + _LONGEST_WAIT_SECONDS
            while not _all_ended(self, tx, asked) and time.monotonic() < give_up:
                time.sleep(0.05)
        return claimed

    SagaStore.claim_due = faulty  # type: ignore[method-assign] # that is what a mutant does


def _all_ended(store: SagaStore, tx: Transaction, loaded: Sequence[Instance]) -> bool:
    return all(instance.ended for instance in store.get(tx, [one.saga_id for one in loaded]).values())


def ignores_versions() -> None:
    """Sagas are stored whatever has become of them since they were loaded. Nor are they locked, or it could not be."""
    locks_no_saga()
    as_loaded = text_of(sagakit.orchestrator.store._AS_LOADED)  # noqa: SLF001 - a mutant knows what it breaks
    _reword(sagakit.orchestrator.store, "_UPDATE", f" AND {as_loaded}")


def relays_nothing() -> None:
    """The relay never finds anything to do."""

    def faulty(self: Relay) -> int:  # noqa: ARG001 - it is a method
        return 0

    Relay.relay_once = faulty  # type: ignore[method-assign] # that is what a mutant does


def removes_before_it_relays() -> None:
    """The relay removes its rows from the outbox, commits, and only then publishes them."""

    def faulty(self: Relay) -> int:
        with self._database.transaction() as tx:
            rows = tx.execute(relay._CLAIM, {"age": self._age, "limit": 1000, "set_aside": "{}"}).fetchall()  # noqa: SLF001 - a mutant knows what it breaks
            tx.execute(relay._REMOVE, {"ids": [row.outbox_id for row in rows]})  # noqa: SLF001 - the same
        if rows:
            self._producer.deliver([relay._message(row) for row in rows], _LONGEST_WAIT_SECONDS)  # noqa: SLF001 - the same
        return len(rows)

    Relay.relay_once = faulty  # type: ignore[method-assign] # that is what a mutant does


def blames_the_data() -> None:
    """A database that takes no writes for now is taken for data that it will never take."""
    error_families._SQLSTATE_EXCEPTIONS["25006"] = Family.DATA  # noqa: SLF001 - a mutant knows what it breaks


def keeps_stale_statements() -> None:
    """A statement that was prepared before its table changed stays prepared, and its failure is the data's fault."""
    error_families._SQLSTATES["0A"] = (Family.DATA, "000")  # noqa: SLF001 - a mutant knows what it breaks
    error_families._SQLSTATE_EXCEPTIONS["42P05"] = Family.DATA  # noqa: SLF001 - the same: it is prepared already


def trusts_schemas() -> None:
    """Messages are read by whatever schema the registry has, of any subject, and believed."""
    of_the_subject = Schemas.writer

    def faulty(self: Schemas, schema_id: int, name: str, wanted: bytes | None, lay_at: float) -> Writer:
        try:
            return of_the_subject(self, schema_id, name, wanted, lay_at)
        except Poison:
            parsed: Any = fastavro.parse_schema(json.loads(self._registry.get_schema(schema_id).schema_str or ""))
            return Writer(parsed["name"], parsed, {})

    Schemas.writer = faulty  # type: ignore[method-assign] # that is what a mutant does
    untrusted_values.check = lambda *_: None


def believes_ids() -> None:
    """A message is read by what its schema's id means to this process, and condemned where that is another type."""

    def faulty(self: Schemas, schema_id: int, name: str, wanted: bytes | None, lay_at: float) -> Writer:  # noqa: ARG001 - they are not believed
        known = self._versions[name]
        if schema_id not in known.by_id:
            known = self._list(name)
        if found := known.find(schema_id, None):
            return found
        raise self._verdict(schema_id, known, None)

    begin = Codec.__init__

    def begin_without_fingerprints(
        self: Codec, registry: SchemaRegistryClient, records: Iterable[type[Record]]
    ) -> None:
        begin(self, registry, records)
        self._own.clear()

    Codec.__init__ = begin_without_fingerprints  # type: ignore[method-assign] # that is what a mutant does
    Schemas.writer = faulty  # type: ignore[method-assign] # so is this


def counts_markers() -> None:
    """The end of a partition counts only where a message lies before it: a transaction's marker stays unread."""
    Offsets.end = lambda *_: None  # type: ignore[method-assign] # that is what a mutant does


def checks_no_limits() -> None:
    """A command to take stock may say whatever its Avro types allow."""

    def faulty(self: DecreaseProductCommand) -> None:
        pass

    DecreaseProductCommand.out_of_range = faulty  # type: ignore[method-assign] # that is what a mutant does


def halts_for_good() -> None:
    """A consumer that is halted never tries again."""
    failed = Halt.failed
    Halt.failed = lambda self, error: failed(self, error) * math.inf  # type: ignore[method-assign] # the same


def looks_at_no_claim() -> None:
    """A service joins its consumer group, whoever it belongs to."""
    group_owner.claim = lambda *_: None


def keeps_late_successes() -> None:
    """The orchestrator leaves a step done whose success comes once its undo is no longer pending."""
    setattr(sagakit.saga.advance._Advance, "_undo_of", lambda *_: None)  # noqa: B010, SLF001 - its name there is its own


def _reword(module: ModuleType, statement: str, without: str) -> None:
    """Leave a clause out of one of a store's statements."""
    said: str = getattr(module, statement)
    if without not in said:
        msg = f"{statement} does not say {without!r} any more: the mutant breaks nothing"
        raise LookupError(msg)
    setattr(module, statement, said.replace(without, ""))


MUTANTS: dict[str, Callable[[], None]] = {
    "takes-stock-again": takes_stock_again,
    "commits-offsets-first": commits_offsets_first,
    "rewinds-too-far": rewinds_too_far,
    "publishes-before-commit": publishes_before_commit,
    "leaves-no-tombstone": leaves_no_tombstone,
    "keeps-late-successes": keeps_late_successes,
    "locks-no-saga": locks_no_saga,
    "ignores-versions": ignores_versions,
    "relays-nothing": relays_nothing,
    "removes-before-it-relays": removes_before_it_relays,
    "blames-the-data": blames_the_data,
    "keeps-stale-statements": keeps_stale_statements,
    "trusts-schemas": trusts_schemas,
    "believes-ids": believes_ids,
    "counts-markers": counts_markers,
    "checks-no-limits": checks_no_limits,
    "halts-for-good": halts_for_good,
    "looks-at-no-claim": looks_at_no_claim,
}
"""By name: what breaks it, called before the service is run.

``locks-no-saga`` and ``keeps-late-successes`` alone break no promise yet.
"""
