"""Gathers the evidence of a run while it is under way: tape, offsets, outbox, stock; and the databases at its end."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.evidence import (
    READERS,
    SERVICES,
    TOPICS,
    Call,
    CancelCall,
    CreateCall,
    Evidence,
    FaultWindow,
    OffsetSample,
    OrderList,
    OrderView,
    OrderWatch,
    OutboxRow,
    ReadCall,
    Remade,
    RestockCall,
    SagaCall,
    SagaView,
    SagaWatch,
    StockSample,
    WentBack,
)
from tests.chaos.recorder_decoding import Decoder
from tests.chaos.recorder_rows import Reader, outbox
from tests.chaos.recorder_tape import Tape
from tests.support import trust

_OUTBOX_SECONDS = 0.1
_STOCK_SECONDS = 0.5
_SAMPLE_SECONDS = 2.0


class Recorder:
    """Watches a run from outside: it knows addresses, and nothing of the code."""

    def __init__(self, bootstrap: str, registry_url: str, dsns: Mapping[str, str]) -> None:
        """Begin to record; the databases are those of ``dsns``, by service."""
        self.evidence = Evidence(epoch=time.time_ns() // 1000)
        self._began = time.monotonic()
        self.reader = Reader(dsns)
        self.tape = Tape(bootstrap, Decoder(registry_url), self.now)
        self.missed: Counter[str] = Counter()
        """Looks that failed because a server was away."""
        self._bootstrap = bootstrap
        self._askers: dict[str, Consumer] = {}
        self._sampling = threading.RLock()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        jobs = {"outbox": (self._look_at_outbox, _OUTBOX_SECONDS), "stock": (self._look_at_stock, _STOCK_SECONDS)}
        jobs["offsets"] = (self._sample_next, _SAMPLE_SECONDS)
        self._threads = [
            threading.Thread(target=self._again_and_again, args=(name, *job), name=name, daemon=True)
            for name, job in jobs.items()
        ]
        self._turn = 0
        self._waiting: dict[str, OutboxRow] = {}
        for thread in self._threads:
            thread.start()

    def now(self) -> float:
        """Return the seconds since the recording began."""
        return time.monotonic() - self._began

    def note(self, call: Call) -> None:
        """Keep what a caller was answered; any thread may call this."""
        match call:
            case CreateCall():
                self.evidence.creates.append(call)
            case CancelCall():
                self.evidence.cancels.append(call)
            case ReadCall():
                self.evidence.reads.append(call)
            case SagaCall():
                self.evidence.saga_calls.append(call)
            case RestockCall():
                self.evidence.restocks.append(call)

    def see(self, *views: OrderView | SagaView | OrderList | OrderWatch | SagaWatch) -> None:
        """Keep what a reader was shown; any thread may call this."""
        for view in views:
            match view:
                case OrderView():
                    self.evidence.orders_seen.append(view)
                case SagaView():
                    self.evidence.sagas_seen.append(view)
                case OrderList():
                    self.evidence.lists.append(view)
                case OrderWatch():
                    self.evidence.order_watches.append(view)
                case SagaWatch():
                    self.evidence.saga_watches.append(view)

    @contextmanager
    def fault(self, kind: str, parts: Collection[str], settles: float = 25.0) -> Iterator[None]:
        """Note that a fault of ``kind`` is laid on ``parts`` meanwhile, and settles as `FaultWindow` says."""
        with self._lock:
            number = len(self.evidence.faults)
            self.evidence.faults.append(FaultWindow(kind, frozenset(parts), self.now(), math.inf, settles))
        try:
            yield
        finally:
            self.evidence.faults[number] = replace(self.evidence.faults[number], ended=self.now())

    def sample(self, group: str) -> None:
        """Read ``group``'s committed offsets, and then the rows of its database."""
        with self._sampling:
            asker = self._askers.get(group) or Consumer(
                {**trust.kafka(self._bootstrap), "group.id": group, "log_level": 0}
            )
            self._askers[group] = asker
            incarnations = dict(self.tape.incarnations)
            topics = [topic for topic, reader in READERS.items() if reader == group]
            places = [TopicPartition(topic, number) for topic in topics for number in self.tape.partitions(topic)]
            try:
                found = [one for one in asker.committed(places, timeout=5) if one.offset >= 0 and one.error is None]
                committed = {
                    (one.topic, incarnations[one.topic], one.partition): one.offset
                    for one in found
                    if not incarnations[one.topic] or self._is_within(asker, one)
                }
                when = self.now()
                rows = self.reader.sample(group)
            except (KafkaException, psycopg.Error):
                self.missed["offsets"] += 1
                self._askers.pop(group).close()  # it may have forgotten every broker: see sagakit.kafka.lost_brokers
                return
            self.evidence.offsets.append(OffsetSample(group, when, committed, rows))

    def _is_within(self, asker: Consumer, committed: TopicPartition) -> bool:
        """Say whether an offset lies in its topic as it is now.

        A commit names its topic, so one that comes too late speaks of the topic before. A consumer finds it out
        of range, and reads all. Where the new topic has grown past it, it counts: a consumer would skip what is there.
        """
        return committed.offset <= asker.get_watermark_offsets(committed, timeout=5)[1]

    @contextmanager
    def remaking(self, topic: str) -> Iterator[None]:
        """Let ``topic`` be deleted and made anew meanwhile."""
        with self._sampling, self.tape.remaking(topic):
            try:
                yield
            finally:
                self.evidence.remade.append(Remade(self.now(), topic))

    @contextmanager
    def going_back(self, service: str, since: float) -> Iterator[None]:
        """Let the database of ``service`` be made again meanwhile what it was at ``since``."""
        with self._sampling:
            self.sample(service)  # as long as what is committed has its effect
            yield
            self.evidence.went_back.append(WentBack(service, since, self.now()))

    def finish(self) -> Evidence:
        """Stop watching, read everything to its end, and return the evidence. The servers have to be there."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.tape.drain(TOPICS)
        self.evidence.records = list(self.tape.records)
        self._wait_until_read(20.0)  # an order whose id was used before is announced, and parked, again and again
        self.tape.drain()
        self.tape.stop()
        for asker in self._askers.values():
            asker.close()
        self.evidence.dead_letters = self.tape.dead_letters
        self.evidence.outbox = list(self._waiting.values())
        left = {row.message_id for row in self._outbox()}
        time.sleep(3)  # what is passing through now is gone then
        self.evidence.rows = self.reader.everything()
        self.evidence.rows.outbox = [row for row in self.evidence.rows.outbox if row.message_id in left]
        return self.evidence

    def _wait_until_read(self, seconds: float) -> None:
        """Wait until every group has committed what was taped; its samples are the last ones."""
        ends: Counter[tuple[str, int, int]] = Counter()
        for record in self.evidence.records:
            place = record.place
            if place.incarnation == self.tape.incarnations[place.topic]:
                key = (place.topic, place.incarnation, place.partition)
                ends[key] = max(ends[key], place.offset + 1)
        give_up = time.monotonic() + seconds
        for group in SERVICES:
            wanted = {place: end for place, end in ends.items() if READERS[place[0]] == group}
            self.sample(group)
            while any(self._committed(group).get(place, 0) < end for place, end in wanted.items()):
                if time.monotonic() > give_up:
                    return
                time.sleep(0.5)
                self.sample(group)

    def _committed(self, group: str) -> dict[tuple[str, int, int], int]:
        samples = [sample for sample in self.evidence.offsets[-4:] if sample.group == group]
        return samples[-1].committed if samples else {}

    def _again_and_again(self, name: str, look: Callable[[], None], seconds: float) -> None:
        while not self._stopping.wait(seconds):
            try:
                look()
            except psycopg.Error:
                self.missed[name] += 1
                self._stopping.wait(0.5)

    def _outbox(self) -> list[OutboxRow]:
        with self.reader.connect("order_svc") as connection:
            return outbox(connection)

    def _look_at_outbox(self) -> None:
        with self.reader.connect("order_svc") as connection:
            while not self._stopping.wait(_OUTBOX_SECONDS):
                seen = self.now()
                for row in outbox(connection):
                    known = self._waiting.get(row.message_id)
                    first = known.first_seen if known else seen
                    self._waiting[row.message_id] = replace(row, seen=seen, first_seen=first)

    def _look_at_stock(self) -> None:
        now = self.now()
        products = self.evidence.initial_stock
        self.evidence.stock += [StockSample(now, p, stock) for p, stock in self.reader.stock().items() if p in products]

    def _sample_next(self) -> None:
        self._turn += 1
        self.sample(SERVICES[self._turn % len(SERVICES)])
