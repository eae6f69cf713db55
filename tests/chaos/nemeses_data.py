"""Faults of data: a database that goes back in time, and one that loses rows without a trace."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from random import Random

import psycopg

from tests.chaos.checker_common import FINAL
from tests.chaos.evidence import OrderRow, Restored
from tests.chaos.recorder_rows import ORDERS, order_row
from tests.chaos.stage import Stage
from tests.support.going_back import Earlier

Act = Callable[[Stage, Random], AbstractContextManager[str]]
LASTED = "{lasted}"
"""In what a nemesis yields, it stands for the time that the fault lasts."""
_MOST_REMOVED = 6
_FINAL_SECONDS = 30.0
_NOTED_SECONDS = 3.0
"""After so long order_svc takes its database to have what is there now, and does not look for it in Kafka."""


def goes_back(service: str) -> Act:
    """Return the nemesis that keeps a service's database as it is, and later puts that where the present one is."""

    @contextmanager
    def act(stage: Stage, _: Random) -> Iterator[str]:
        since = stage.recorder.now()  # before the sessions end: what is committed meanwhile is not forgotten
        earlier = Earlier(stage.stack.databases[service], service)
        yield f"{service}'s database is put back to what it was {LASTED} before"
        with stage.recorder.going_back(service, since):
            earlier.restore()

    return act


@contextmanager
def restored(stage: Stage, random: Random) -> Iterator[str]:
    """Take order_svc's newest final orders away and set its sequence back, so that their ids are given again.

    Rows are deleted in place, as by whoever overwrites a database while its sessions stay. So nothing shows that it
    went back, as it does in `goes_back`, and nobody looks for them in Kafka.
    """
    most = random.randint(2, _MOST_REMOVED)
    stage.load.pause()
    try:
        _wait_for_final(stage)
        time.sleep(_NOTED_SECONDS)
        members = stage.members("order_svc")
        with stage.supervisor.held(*members):
            for member in members:
                member.stop()
            gone = _go_back(stage, most)
    finally:
        stage.load.resume()
    if not gone:
        raise TimeoutError("the newest orders do not become final: none could be taken away")
    _wait_for_reuse(stage, gone)
    yield f"order_svc's database went back by {len(gone)} orders: {', '.join(str(row.order_id) for row in gone)}"
    with stage.recorder.reader.connect("orchestrator_svc") as sagas:
        highest = sagas.execute("SELECT coalesce(max(saga_id), 0) FROM sagas").fetchone() or (0,)
    with stage.recorder.reader.connect("order_svc") as orders:
        orders.execute(
            "SELECT setval('orders_order_id_seq', greatest(%s, nextval('orders_order_id_seq')) + 10)", [highest[0]]
        )


def _newest(orders: psycopg.Connection, most: int) -> list[OrderRow]:
    rows = orders.execute(f"{ORDERS} ORDER BY order_id DESC LIMIT {most}".encode())
    return list(takewhile(lambda row: row.status in FINAL, (order_row(row) for row in rows)))


def _wait_for_final(stage: Stage) -> None:
    give_up = time.monotonic() + _FINAL_SECONDS
    while time.monotonic() < give_up:
        with stage.recorder.reader.connect("order_svc") as orders:
            if len(_newest(orders, _MOST_REMOVED)) == _MOST_REMOVED:
                return
        time.sleep(0.2)


def _go_back(stage: Stage, most: int) -> list[OrderRow]:
    with stage.recorder.reader.connect("order_svc") as orders, orders.transaction():
        gone = _newest(orders, most)
        if gone:
            stage.recorder.evidence.restored.append(Restored(stage.recorder.now(), tuple(gone)))
            orders.execute("DELETE FROM orders WHERE order_id = ANY(%s)", [[row.order_id for row in gone]])
            orders.execute("SELECT setval('orders_order_id_seq', %s, false)", [gone[-1].order_id])
    return gone


def _wait_for_reuse(stage: Stage, gone: list[OrderRow]) -> None:
    """Wait until one of the ids has been given again: order_svc has to start for that."""
    give_up = time.monotonic() + _FINAL_SECONDS
    ids = [row.order_id for row in gone]
    with stage.recorder.reader.connect("order_svc") as orders:
        while time.monotonic() < give_up:
            if orders.execute("SELECT 1 FROM orders WHERE order_id = ANY(%s)", [ids]).fetchone():
                return
            time.sleep(0.2)
