"""The console's pages as a program asks for them: how long until the whole page is there."""

import http.client
import random
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from bench.console_mix import Mix
from bench.figures import Figures, times

_SILENCE_SECONDS = 30.0


def addresses(mix: Mix, chance: random.Random) -> dict[str, str]:
    """Return an address of each kind of page, of sagas, orders and users at random."""
    order, user = chance.choice(mix.all.orders), chance.choice(mix.all.users)
    return {
        "overview": "/",
        "sagas": "/sagas",
        "sagas, RUNNING": "/sagas?status=RUNNING",
        "sagas, COMPLETED": "/sagas?status=COMPLETED",
        "sagas, COMPENSATED": "/sagas?status=COMPENSATED",
        "sagas, at a step": "/sagas?step=create-delivery",
        "sagas, stuck": "/sagas?stuck=yes",
        "sagas, retrying": "/sagas?retrying=yes",
        "sagas, by reason": "/sagas?reason=OUT_OF_STOCK",
        "sagas, by a reason of none": "/sagas?reason=NOBODY_KNOWS",
        "sagas, older than 10 minutes": "/sagas?age=10m",
        "sagas, older than 10 days": "/sagas?age=10d",
        "sagas, RUNNING for 10 minutes": "/sagas?status=RUNNING&age=10m",
        "sagas, of a user": f"/sagas?user={user}",
        "sagas, by id": f"/sagas?id={order}",
        "one saga, completed": f"/sagas/{order}",
        "one saga, stuck": f"/sagas/{chance.choice(mix.stuck)}",
        "orders": "/orders",
        "orders, PENDING": "/orders?status=PENDING",
        "orders, CANCELLED": "/orders?status=CANCELLED",
        "orders, of a user": f"/orders?user={user}",
        "orders, by id": f"/orders?id={order}",
        "products": "/products",
        "dead letters": "/dead-letters",
        "system": "/system",
    }


class Pages:
    """Asks one console, over one connection as a browser does."""

    def __init__(self, url: str, mix: Mix) -> None:
        """Ask the console at ``url`` for what ``mix`` has."""
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_SILENCE_SECONDS)
        self._mix, self._chance = mix, random.Random(1)  # noqa: S311 - no secret

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def look(self, count: int) -> Mapping[str, list[float]]:
        """Ask ``count`` times for each kind of page, all kinds in turn; return the seconds each took.

        Raises:
            RuntimeError: a page was not shown.
        """
        self._connection.close()  # the console has ended it, if it was idle; the next request makes another
        taken: dict[str, list[float]] = {}
        for _ in range(count):
            for name, address in addresses(self._mix, self._chance).items():
                taken.setdefault(name, []).append(self._time(address))
        return taken

    def _time(self, address: str) -> float:
        began = time.perf_counter()
        self._connection.request("GET", address)
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != http.client.OK:
            msg = f"{address} is answered with {answer.status}: {body[:300]!r}"
            raise RuntimeError(msg)
        return took


def figures(taken: Mapping[str, list[float]]) -> Figures:
    """Return the median and the 95th percentile of each page."""
    found: Figures = {}
    for name, seconds in taken.items():
        found |= times(name, seconds, 50, 95)
    return found
