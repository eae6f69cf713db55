"""Engines, and which database errors pass by themselves."""

from collections.abc import Callable
from typing import TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chassis.errors import Unavailable

T = TypeVar("T")

_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
)
_CONNECT_ARGS = {"connect_timeout": 5, "options": _OPTIONS}


def sync_engine(url: URL, pool_size: int) -> Engine:
    """Return the engine for threads: the consumer's and the relay's."""
    return create_engine(url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, connect_args=_CONNECT_ARGS)


def async_engine(url: URL, pool_size: int) -> AsyncEngine:
    """Return the engine for the event loop: the gRPC API's."""
    return create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=5, pool_pre_ping=True, connect_args=_CONNECT_ARGS
    )


async def in_transaction(engine: AsyncEngine, function: Callable[[Connection], T]) -> T:
    """Run ``function`` in a transaction from the event loop, and commit; stores are written once, for threads."""
    async with engine.begin() as connection:
        return await connection.run_sync(function)


def is_transient(error: BaseException) -> bool:
    """Say whether trying again later can help: the fault is not in what was asked.

    So it is for lost connections, deadlocks, serialization failures and time-outs; also for a missing table or
    privilege, which is a deployment's fault and mended there.
    """
    if isinstance(error, Unavailable | PoolTimeout | OperationalError | InterfaceError | ProgrammingError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | ConnectionError)
