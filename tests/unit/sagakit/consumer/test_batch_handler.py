"""Which offsets the transaction of a batch stores."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, NoReturn, TypeVar, cast

import pytest
from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.batch_handler import BatchHandler
from sagakit.offsets import stored_offsets
from sagakit.offsets.handled import Offsets, WentBackError
from sagakit.postgres.pipeline import Pipeline
from sagakit.runtime import logs
from sagakit.testing.world.statements import HasLess
from tests.support.lines import lines

T = TypeVar("T")
PLACE = ("product-decreased", 3)


def transact(function: Callable[[Pipeline], T]) -> T:
    return function(cast("Pipeline", None))


def at(offset: int) -> KafkaMessage:
    return KafkaMessage(topic=PLACE[0], partition=PLACE[1], offset=offset)


def test_a_batch_takes_along_the_offsets_of_those_before_it_and_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own answers are not published yet; and where it is halved, the part before may have had no effect."""
    written: list[dict[tuple[str, int], int]] = []
    published: list[Sequence[object]] = []
    monkeypatch.setattr(stored_offsets, "write", lambda _, offsets, __: written.append(dict(offsets)))
    monkeypatch.setattr("sagakit.offsets.handled.COMMIT_SECONDS", 0.0)
    codec: Any = SimpleNamespace(decode=lambda *_: SimpleNamespace(key=1))
    database: Any = SimpleNamespace(kept=lambda _: SimpleNamespace(transact=transact))
    producer: Any = SimpleNamespace(deliver=published.append)
    offsets = Offsets()
    handling = BatchHandler("bookings", lambda _, __: [], codec, database, producer, offsets)
    for number, batch in enumerate([[at(40), at(41)], [at(42)], [at(43)]]):
        assert handling.handle(batch) == []
        assert len(published) == number + 1
        offsets.add(batch)
    assert written == [{}, {PLACE: 42}, {PLACE: 43}]
    assert offsets.unstored() == {PLACE: 44}


def test_a_new_connection_is_not_used_where_it_has_another_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """No offset would tell: what was handled last may be missing, and its offset is not stored yet."""
    looks: list[Callable[[Any], None]] = []
    monkeypatch.setattr(stored_offsets, "read", lambda _: {})
    nobody: Any = None
    database: Any = SimpleNamespace(kept=looks.append, timelines=SimpleNamespace(number=0))
    BatchHandler("bookings", nobody, nobody, database, nobody, Offsets())
    session: Any = SimpleNamespace(pipeline=nullcontext)
    looks[0](session)
    database.timelines.number = 1
    with pytest.raises(WentBackError, match="another history"):
        looks[0](session)


def test_no_message_is_to_blame_for_tables_that_were_overwritten() -> None:
    def refuse(_: Callable[[Pipeline], object]) -> NoReturn:
        raise HasLess

    codec: Any = SimpleNamespace(decode=lambda *_: SimpleNamespace(key=1))
    database: Any = SimpleNamespace(kept=lambda _: SimpleNamespace(transact=refuse))
    nobody: Any = None
    handling = BatchHandler("bookings", lambda _, __: [], codec, database, nobody, Offsets())
    with pytest.raises(WentBackError, match="overwritten"):
        handling.handle([at(40), at(41)])
    with pytest.raises(WentBackError, match="overwritten"):
        handling.store()


def test_a_line_names_the_message_that_it_is_about_and_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_offsets, "write", lambda *_: None)
    log, trace = logs.logger("test"), "4bf92f3577b34da6a3ce929d0e0e4736"

    def decode(_: str, key: bytes, *__: object) -> SimpleNamespace:
        return SimpleNamespace(key=int(key))

    def handle(messages: Sequence[Any], _: Pipeline) -> list[Any]:
        for key in (1, 2, 3):
            log.info("of one", saga_id=key)
        log.info("of all", count=len(messages), error_id="abc")
        return []

    def sent(key: int, *headers: tuple[str, bytes]) -> KafkaMessage:
        return KafkaMessage(topic=PLACE[0], partition=PLACE[1], offset=40 + key, key=b"%d" % key, headers=[*headers])

    codec: Any = SimpleNamespace(decode=decode)
    database: Any = SimpleNamespace(kept=lambda _: SimpleNamespace(transact=transact))
    producer: Any = SimpleNamespace(deliver=lambda _: log.info("behind it"))
    handling = BatchHandler("bookings", handle, codec, database, producer, Offsets())
    traced = ("message-id", b"first"), ("traceparent", f"00-{trace}-00f067aa0ba902b7-00".encode())
    with lines() as said:
        handling.handle([sent(1, *traced), sent(2, ("traceparent", b"rubbish"))])
        alone = len(said)
        handling.handle([sent(1, *traced)])
    told = [(one["event"], one.get("message_id"), one.get("trace_id")) for one in said]
    assert told[:alone] == [
        ("of one", "first", trace),
        ("of one", f"{PLACE[0]}-{PLACE[1]}-42", None),
        ("of one", None, None),
        ("of all", None, None),
        ("behind it", None, None),
    ]
    assert told[alone:] == [*[("of one", "first", trace)] * 3, ("of all", "first", trace), ("behind it", None, None)]
