"""What readers were shown: orders and sagas, as single answers, as lists and as streams.

Seconds are those of the recording; times that a service shows are microseconds since 1970, as its database has them.
"""

import math
from dataclasses import dataclass

from tests.chaos.evidence_rows import Content


@dataclass(frozen=True)
class OrderView:
    """An order as it was answered, whatever the call."""

    order_id: int
    content: Content
    status: str
    cancel_reason: str | None
    create_time: int
    update_time: int
    cancel_time: int | None
    """When its cancel was first asked for."""
    name: str
    """The call that was answered, such as ``GetOrder``."""
    began: float = 0.0
    """It was read no earlier; of a stream, this is when the stream began."""
    ended: float = 0.0
    """It was read no later."""


@dataclass(frozen=True)
class SagaView:
    """A saga as it was answered, whatever the call."""

    order_id: int
    status: str
    step: str | None
    reason: str | None
    version: int
    create_time: int
    update_time: int
    name: str
    began: float = 0.0
    ended: float = 0.0
    history: tuple[tuple[int, str], ...] = ()
    """The versions and types of the events that were shown with it, where all of them were."""


@dataclass(frozen=True)
class OrderList:
    """The whole of a user's orders, as ``ListOrders`` showed them in one page."""

    user_id: int
    order_ids: tuple[int, ...]
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class OrderWatch:
    """One call of ``WatchOrder``, from its beginning to its end."""

    order_id: int
    views: tuple[OrderView, ...]
    code: str
    """The status that it ended with; ``OK`` where the service ended it."""
    began: float = 0.0
    ended: float = math.inf


@dataclass(frozen=True)
class SagaWatch:
    """One call of ``WatchSagas`` without a filter, from its beginning to its end."""

    views: tuple[SagaView, ...]
    code: str
    began: float = 0.0
    ended: float = math.inf
