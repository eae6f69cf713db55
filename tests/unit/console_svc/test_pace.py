"""How fast sagas end, counted once each."""

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.pace import Pace

NOW = 1_000_000.0


def saga(order_id: int, *, took: float = 0.5, status: pb.SagaStatus.ValueType = pb.SAGA_STATUS_COMPLETED) -> pb.Saga:
    began, ended = Timestamp(seconds=100), Timestamp()
    ended.FromNanoseconds(int((100 + took) * 1e9))
    return pb.Saga(order_id=order_id, status=status, create_time=began, update_time=ended)


def test_ends_of_the_last_minute_are_counted_once_each() -> None:
    now = NOW
    pace = Pace(lambda: now)
    now += 60
    for order_id in range(1, 121):
        pace.note(saga(order_id))
        pace.note(saga(order_id))
    pace.note(saga(500, status=pb.SAGA_STATUS_COMPENSATED))
    pace.note(saga(501, status=pb.SAGA_STATUS_RUNNING))
    seen = pace.now()
    assert seen.completed == 2.0
    assert round(seen.compensated * 60) == 1
    now += 61
    assert pace.now().completed == 0.0


def test_how_long_they_took_is_told_by_halves_and_by_the_slowest() -> None:
    pace = Pace(lambda: NOW)
    for order_id in range(1, 101):
        pace.note(saga(order_id, took=order_id / 100))
    seen = pace.now()
    assert seen.median is not None
    assert seen.slowest is not None
    assert 0.45 < seen.median < 0.55
    assert 0.93 < seen.slowest < 0.97


def test_where_nothing_ended_there_is_nothing_to_tell() -> None:
    seen = Pace(lambda: NOW).now()
    assert seen.median is None
    assert len(seen.times) == len(seen.done) == len(seen.undone)
    assert set(seen.done) == {0.0}
