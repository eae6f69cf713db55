"""Notifications: followers get the changes of what they follow, and no other; without followers none are received."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.postgres import notifications
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener, notify, notify_news
from sagakit.postgres.settings import DatabaseSettings
from tests.support.scratch import database_of, scratch_database
from tests.support.wait import eventually

SECONDS = 10
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
HANG_UP = LISTENING.replace("count(*)", "pg_terminate_backend(pid)")


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return scratch_database(stack)


@asynccontextmanager
async def listener_of(dsn: str) -> AsyncIterator[NotificationListener]:
    listener = NotificationListener(DatabaseSettings.model_validate({"database_url": dsn}).database_url, "things")
    running = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def must_listen(dsn: str, times: int) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(LISTENING).fetchone() == (times,)


async def listening(dsn: str, times: int) -> None:
    await asyncio.to_thread(eventually, lambda: must_listen(dsn, times))


NEWS = "SELECT id, news FROM unnest(%(ids)s::bigint[], %(news)s::text[]) AS change (id, news)"


def change(database: Database, *ids: int) -> None:
    with database.transaction() as tx:
        notify(tx, "things", ids)


def notify_of(database: Database, news: Mapping[int, str]) -> None:
    with database.transaction() as tx:
        notify_news(tx, "things", NEWS, {"ids": list(news), "news": list(news.values())})


async def test_a_follower_of_one_thing_is_woken_for_that_alone(dsn: str) -> None:
    database = database_of(dsn)
    async with listener_of(dsn) as listener:
        with listener.follow(7) as one, listener.follow(8) as other, listener.follow() as everything:
            for follower in (one, other, everything):
                assert await follower.next(SECONDS) is None, "it listens from now on: whatever was before may be missed"
            change(database, 7, 9)
            assert await everything.next(SECONDS) == {7: "", 9: ""}
            assert await one.next(SECONDS) == {7: ""}
            change(database, 8)
            assert await other.next(SECONDS) == {8: ""}, "the first change was not for it"
    database.close()


async def test_news_come_along_unless_they_are_too_long_or_only_the_last_of_several(dsn: str) -> None:
    database = database_of(dsn)
    async with listener_of(dsn) as listener:
        with listener.follow(7) as one, listener.follow() as everything:
            for follower in (one, everything):
                await follower.next(SECONDS)
            many = dict.fromkeys(range(10, 40), "news of ä €" * 90)
            notify_of(database, {7: "it went well", 8: "x" * 1001} | many)
            assert await one.next(SECONDS) == {7: "it went well"}
            heard: dict[int, str] = {}
            while len(heard) < 32:
                heard |= await everything.next(SECONDS) or {}
            assert heard == {7: "it went well", 8: ""} | many
            for news in ("first", "second"):
                notify_of(database, {7: news})
                assert await everything.next(SECONDS) == {7: news}
            assert await one.next(SECONDS) == {7: ""}, "both have come before it asked"
    database.close()


@pytest.mark.parametrize("payload", ["", "7,9", "seven"])
async def test_a_notification_that_cannot_be_read_makes_everyone_look(dsn: str, payload: str) -> None:
    async with listener_of(dsn) as listener:
        with listener.follow(7) as follower:
            await follower.next(SECONDS)
            with psycopg.connect(dsn, autocommit=True) as older:
                older.execute("SELECT pg_notify('things', %s)", [payload])
            began = asyncio.get_running_loop().time()
            assert await follower.next(SECONDS) is None
            assert asyncio.get_running_loop().time() - began < SECONDS


async def test_nothing_is_notified_unless_somebody_follows(dsn: str) -> None:
    database = database_of(dsn)
    async with (
        listener_of(dsn) as listener,
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as eavesdropper,
    ):
        await eavesdropper.execute("LISTEN things")
        notify_of(database, {1: "unheard"})
        with listener.follow(7) as follower:
            await follower.next(SECONDS)
            notify_of(database, {7: "heard"})
            assert await follower.next(SECONDS) == {7: "heard"}
        heard = [one.payload async for one in eavesdropper.notifies(timeout=1)]
        assert heard == ["7 heard"]
    database.close()


async def test_a_change_that_is_being_made_when_somebody_begins_to_follow_is_read_or_notified(dsn: str) -> None:
    database = database_of(dsn)
    with database.transaction() as tx:
        tx.execute("CREATE TABLE things (number bigint)")
    async with listener_of(dsn) as listener:
        with ThreadPoolExecutor() as pool:
            begun, goes_on = threading.Event(), threading.Event()

            def make() -> None:
                with database.transaction() as tx:
                    notify(tx, "things", [7])
                    tx.execute("INSERT INTO things VALUES (7)").fetchall()
                    begun.set()
                    goes_on.wait(SECONDS)

            making = pool.submit(make)
            await asyncio.to_thread(begun.wait, SECONDS)
            with listener.follow(7) as follower:
                assert await follower.next(1) is None
                goes_on.set()
                assert await follower.next(SECONDS) is None, "now it has to look"
                with database.transaction() as tx:
                    assert tx.execute("SELECT number FROM things").fetchall() == [(7,)]
            making.result()
    database.close()


async def test_a_lost_connection_is_made_anew_and_everyone_looks(dsn: str) -> None:
    database = database_of(dsn)
    async with listener_of(dsn) as listener:
        with listener.follow(7) as follower:
            await follower.next(SECONDS)
            with psycopg.connect(dsn, autocommit=True) as admin:
                admin.execute(HANG_UP)
            assert await follower.next(SECONDS) is None
            notify_of(database, {7: "heard again"})
            assert await follower.next(SECONDS) == {7: "heard again"}
    database.close()


async def test_a_follower_without_notifications_reads_again_after_a_while(dsn: str) -> None:
    async with listener_of(dsn) as listener:
        with listener.follow(7) as follower:
            await follower.next(SECONDS)
            assert await follower.next(0.1) is None


async def test_it_listens_only_while_somebody_follows(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "_LINGER_SECONDS", 0.2)
    monkeypatch.setattr(notifications, "_LOOK_SECONDS", 0.1)
    await listening(dsn, 0)
    async with listener_of(dsn) as listener:
        await asyncio.sleep(0.2)
        must_listen(dsn, 0)
        for _ in range(2):
            with listener.follow(1):
                await listening(dsn, 1)
            await listening(dsn, 0)
