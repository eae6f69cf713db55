"""Which sagas a list shows: its address says so, and nothing else does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from starlette.datastructures import QueryParams

from console_svc.failures import senseless
from console_svc.numbers import positive
from console_svc.words import age

STATUSES: Final = ("RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED")
_FIELDS: Final = ("status", "step", "stuck", "retrying", "age", "reason", "id", "user")
_YES_OR_NO: Final = {"yes": True, "no": False}
_LONGEST: Final = 100
_BESIDE: Final = {"page", "rows", "do", "order"}
"""What may stand in an address beside a filter."""


@dataclass(frozen=True)
class SagaFilter:
    """What is asked for; what is empty lets any saga pass."""

    status: str = ""
    step: str = ""
    stuck: str = ""
    retrying: str = ""
    age: str = ""
    reason: str = ""
    id: str = ""
    user: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "SagaFilter":
        """Return the filter in the query of an address.

        Raises:
            CallFailed: something there makes no sense. To leave it out would let more sagas pass than were meant.
        """
        if unknown := sorted(set(query) - set(_FIELDS) - _BESIDE):
            raise senseless(f"A filter has {', '.join(_FIELDS)}", unknown[0], query[unknown[0]])
        found = cls(**{name: _only(query, name) for name in _FIELDS})
        for name, value in found.given.items():
            _check(name, value)
        return found

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.given)

    @property
    def given(self) -> dict[str, str]:
        """The fields that are not empty."""
        return {name: value for name in _FIELDS if (value := getattr(self, name))}

    @property
    def is_of_sagas_under_way(self) -> bool:
        """Whether only sagas that have not ended can pass, which are few enough to be counted."""
        under_way = self.status in {"RUNNING", "COMPENSATING"} or bool(self.step) or self.retrying == "yes"
        return under_way and not self.user

    def address(self, **more: str) -> str:
        """Return the address of the list."""
        query = urlencode({**self.given, **more})
        return f"/sagas?{query}" if query else "/sagas"

    def without(self, field: str) -> str:
        """Return the address of the list where ``field`` does not matter."""
        return replace(self, **{field: ""}).address()

    def among(self, orders: list[int] | None) -> list[int] | None:
        """Return the orders whose sagas may pass, by ``orders`` and the filter's own id; None where any may."""
        if not self.id:
            return orders
        return [int(self.id)] if orders is None or int(self.id) in orders else []

    def request(self, size: int, page: str = "", orders: list[int] | None = None) -> pb.ListSagasRequest | None:
        """Return the request for ``size`` of these sagas, of these ``orders`` only where they are given.

        It is None where none can pass: a request that names no order would be answered with everybody's.
        """
        among = self.among(orders)
        if among == []:
            return None
        return pb.ListSagasRequest(
            page_size=size,
            page_token=page,
            status=self._status,
            step=self.step,
            stuck=_YES_OR_NO.get(self.stuck),
            retrying=_YES_OR_NO.get(self.retrying),
            min_age=self._min_age,
            reason=self.reason,
            order_ids=among,
        )

    def proto(self) -> pb.SagaFilter:
        """Return the filter of a count or of a bulk action."""
        return pb.SagaFilter(
            status=self._status,
            step=self.step,
            stuck=_YES_OR_NO.get(self.stuck),
            retrying=_YES_OR_NO.get(self.retrying),
            min_age=self._min_age,
            reason=self.reason,
            order_ids=[int(self.id)] if self.id else [],
        )

    @property
    def _status(self) -> pb.SagaStatus.ValueType:
        return pb.SagaStatus.Value(f"SAGA_STATUS_{self.status or 'UNSPECIFIED'}")

    @property
    def _min_age(self) -> Duration | None:
        duration = age(self.age)
        if duration is None:
            return None
        found = Duration()
        found.FromTimedelta(duration)
        return found


_EXPECTED: Final[Mapping[str, str]] = {
    "status": f"It is one of {', '.join(STATUSES)}",
    "stuck": "It is yes or no",
    "retrying": "It is yes or no",
    "age": "It is a number with s, m, h or d, such as 90s or 10m",
    "id": "It is a whole number above zero",
    "user": "It is a whole number above zero",
}


def _only(query: QueryParams, name: str) -> str:
    values = query.getlist(name)
    if len(values) > 1:
        raise senseless("Each part of a filter is given once", name, ", ".join(values))
    return values[0].strip() if values else ""


def _check(name: str, value: str) -> None:
    makes_sense = {
        "status": value in STATUSES,
        "stuck": value in _YES_OR_NO,
        "retrying": value in _YES_OR_NO,
        "age": age(value) is not None,
        "id": positive(value) is not None,
        "user": positive(value) is not None,
    }
    if not makes_sense.get(name, len(value) <= _LONGEST and "\x00" not in value):
        raise senseless(_EXPECTED.get(name, f"It has {_LONGEST} characters at most"), name, value)
