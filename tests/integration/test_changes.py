"""The change feed: followers hear of what they follow and of nothing else, and nobody is listened for in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from chassis import changes
from chassis.changes import ChangeFeed, notify
from chassis.database import Database
from chassis.settings import DatabaseSettings
from devstack.stack import Stack
from tests.support.scratch import database_of, scratch_database
from tests.support.wait import eventually

SECONDS = 10
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return scratch_database(stack)


@asynccontextmanager
async def feed_of(dsn: str) -> AsyncIterator[ChangeFeed]:
    feed = ChangeFeed(DatabaseSettings.model_validate({"database_url": dsn}).database_url, "things")
    running = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def must_listen(dsn: str, times: int) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(LISTENING).fetchone() == (times,)


async def listening(dsn: str, times: int) -> None:
    await asyncio.to_thread(eventually, lambda: must_listen(dsn, times))


def change(database: Database, *ids: int) -> None:
    with database.transaction() as tx:
        notify(tx, "things", ids)


async def test_a_follower_of_one_thing_is_woken_for_that_alone(dsn: str) -> None:
    database = database_of(dsn)
    async with feed_of(dsn) as feed:
        with feed.follow(7) as one, feed.follow(8) as other, feed.follow() as everything:
            for follower in (one, other, everything):
                assert await follower.next(SECONDS) is None, "it listens from now on: whatever was before may be missed"
            change(database, 7, 9)
            assert await everything.next(SECONDS) == {7, 9}
            assert await one.next(SECONDS) == {7}
            change(database, 8)
            assert await other.next(SECONDS) == {8}, "the first change was not for it"
    database.close()


async def test_a_notification_that_names_nothing_makes_everyone_look(dsn: str) -> None:
    async with feed_of(dsn) as feed:
        with feed.follow(7) as follower:
            await follower.next(SECONDS)
            with psycopg.connect(dsn, autocommit=True) as older:
                older.execute("SELECT pg_notify('things', '')")
            began = asyncio.get_running_loop().time()
            assert await follower.next(SECONDS) is None
            assert asyncio.get_running_loop().time() - began < SECONDS


async def test_who_is_told_nothing_looks_by_itself_after_a_while(dsn: str) -> None:
    async with feed_of(dsn) as feed:
        with feed.follow(7) as follower:
            await follower.next(SECONDS)
            assert await follower.next(0.1) is None


async def test_it_listens_only_while_somebody_follows(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_LINGER_SECONDS", 0.2)
    monkeypatch.setattr(changes, "_LOOK_SECONDS", 0.1)
    await listening(dsn, 0)
    async with feed_of(dsn) as feed:
        await asyncio.sleep(0.2)
        must_listen(dsn, 0)
        for _ in range(2):
            with feed.follow(1):
                await listening(dsn, 1)
            await listening(dsn, 0)
