"""Which sagas a list shows: its address says so, and nothing else does."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from starlette.datastructures import QueryParams

from console_svc.numbers import positive
from console_svc.words import age

STATUSES: Final = ("RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED")
_FIELDS: Final = ("status", "step", "stuck", "retrying", "age", "reason", "id", "user")
_YES_OR_NO: Final = {"yes": True, "no": False}


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
        """Return the filter in the query of an address; what makes no sense there is left out."""
        found = cls(**{name: query.get(name, "").strip()[:100].replace("\x00", "") for name in _FIELDS})
        return replace(
            found,
            status=found.status if found.status in STATUSES else "",
            stuck=found.stuck if found.stuck in _YES_OR_NO else "",
            retrying=found.retrying if found.retrying in _YES_OR_NO else "",
            age=found.age if age(found.age) else "",
            id=found.id if positive(found.id) else "",
            user=found.user if positive(found.user) else "",
        )

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

    def request(self, size: int, page: str = "", orders: list[int] | None = None) -> pb.ListSagasRequest:
        """Return the request for ``size`` of these sagas; of these ``orders`` only, where they are given."""
        wanted = [int(self.id)] if self.id else []
        if orders is not None:
            wanted = [one for one in orders if one in wanted] if wanted else orders
        return pb.ListSagasRequest(
            page_size=size,
            page_token=page,
            status=self._status,
            step=self.step,
            stuck=_YES_OR_NO.get(self.stuck),
            retrying=_YES_OR_NO.get(self.retrying),
            min_age=self._min_age,
            reason=self.reason,
            order_ids=wanted,
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
