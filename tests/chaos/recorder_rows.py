"""Reading the four databases by SQL, as their owners may."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import psycopg

from tests.chaos.evidence import (
    Content,
    DeliveryRow,
    MovementRow,
    OrderRow,
    OutboxRow,
    RestockRow,
    Rows,
    SagaEvent,
    SagaRow,
)
from tests.chaos.recorder_decoding import micros

Row = TypeVar("Row")

ORDERS = """SELECT order_id, user_id, product_id, quantity, price, address, status, cancel_reason, request_id::text,
                   create_time, update_time, cancel_request_time
            FROM orders"""
_OUTBOX = "SELECT headers, topic FROM outbox ORDER BY outbox_id"
_MOVEMENTS = """SELECT order_id, product_id, quantity, price, refusal, undone, create_time, update_time
                FROM stock_movements"""
_DELIVERIES = "SELECT order_id, user_id, address, status, refusal, create_time, update_time FROM deliveries"
_SAGAS = "SELECT saga_id, start, status, step, reason, version, stuck, create_time, update_time FROM sagas"
_EVENTS = """SELECT saga_id, version, type, step, reason, coalesce(message_id, ''), create_time FROM saga_events
             ORDER BY saga_id, version"""
_STOCK = "SELECT product_id, stock FROM products"
_PRICES = "SELECT product_id, price FROM products"
_RESTOCKS = "SELECT product_id, quantity, request_id::text, create_time FROM restocks"


class Reader:
    """Reads rows; what has not changed since is not kept twice."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        """Read the databases at ``dsns``, by service."""
        self._dsns = dsns
        self._known: dict[Any, Any] = {}

    def sample(self, service: str) -> Rows:
        """Read the rows of ``service`` that show what its consumer has done.

        Raises:
            psycopg.Error: the database is away.
        """
        with self.connect(service) as connection:
            return self._rows(service, connection)

    def everything(self) -> Rows:
        """Read all rows of all four.

        Raises:
            psycopg.Error: a database is away.
        """
        found = Rows()
        for service in self._dsns:
            rows = self.sample(service)
            found.orders |= rows.orders
            found.movements |= rows.movements
            found.deliveries |= rows.deliveries
            found.sagas |= rows.sagas
        found.stock = self.stock()
        with self.connect("order_svc") as connection:
            found.outbox = outbox(connection)
        with self.connect("product_svc") as connection:
            found.restocks = [RestockRow(*plain(row)) for row in connection.execute(_RESTOCKS)]
            found.prices = dict(connection.execute(_PRICES).fetchall())
        with self.connect("orchestrator_svc") as connection:
            found.events = [SagaEvent(*plain(row)) for row in connection.execute(_EVENTS)]
        return found

    def stock(self) -> dict[int, int]:
        """Read what is in stock."""
        with self.connect("product_svc") as connection:
            return dict(connection.execute(_STOCK).fetchall())

    def connect(self, service: str) -> psycopg.Connection:
        """Connect to a service's database."""
        return psycopg.connect(self._dsns[service], autocommit=True, connect_timeout=5)

    def _rows(self, service: str, connection: psycopg.Connection) -> Rows:
        match service:
            case "order_svc":
                return Rows(orders=self._read(connection, ORDERS, order_row))
            case "product_svc":
                return Rows(movements=self._read(connection, _MOVEMENTS, lambda row: MovementRow(*plain(row))))
            case "delivery_svc":
                return Rows(deliveries=self._read(connection, _DELIVERIES, lambda row: DeliveryRow(*plain(row))))
            case _:
                return Rows(sagas=self._read(connection, _SAGAS, _saga))

    def _read(
        self, connection: psycopg.Connection, statement: str, make: Callable[[tuple[Any, ...]], Row]
    ) -> dict[int, Row]:
        made: dict[int, Row] = {}
        for row in connection.execute(statement.encode()):
            known = self._known.get((statement, row[0]))
            if known is None or known[0] != row:
                known = self._known[statement, row[0]] = (row, make(row))
            made[row[0]] = known[1]
        return made


def outbox(connection: psycopg.Connection) -> list[OutboxRow]:
    """Read what waits in the outbox."""
    return [OutboxRow(dict(json.loads(headers))["message-id"], topic) for headers, topic in connection.execute(_OUTBOX)]


def order_row(row: tuple[Any, ...]) -> OrderRow:
    """Make an order of what `ORDERS` selects."""
    order_id, user_id, product_id, quantity, price, address, *others = plain(row)
    return OrderRow(order_id, Content(user_id, product_id, quantity, price, address), *others)


def plain(row: tuple[Any, ...]) -> list[Any]:
    """Return a row with its times as microseconds since 1970."""
    return [micros(value) for value in row]


def _saga(row: tuple[Any, ...]) -> SagaRow:
    order_id, start, *others = plain(row)
    created = micros(datetime.fromisoformat(start["create_time"]))
    return SagaRow(order_id, {**start, "create_time": created}, *others)
