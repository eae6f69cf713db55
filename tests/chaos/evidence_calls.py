"""What callers asked, and what they know of it."""

from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.evidence_rows import Content


class Outcome(StrEnum):
    """What a caller knows of its call."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """Answered with a status that says that nothing was done."""
    UNANSWERED = "unanswered"
    """Indeterminate: it may have been done."""


@dataclass(frozen=True)
class CreateCall:
    """One attempt at ``CreateOrder``; a repeat is another."""

    request_id: str
    content: Content
    outcome: Outcome
    order_id: int | None = None
    answered: Content | None = None
    """The order's content as it was answered."""
    code: str = "OK"
    """The status's name, such as ``ALREADY_EXISTS``."""
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class CancelCall:
    """One attempt at ``CancelOrder``."""

    order_id: int
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class ReadCall:
    """One attempt at a call that only reads; what it was answered is a view."""

    name: str
    """The call's name, such as ``GetOrder``."""
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class SagaCall:
    """What one attempt of an operator did to one saga; a bulk action is one for each saga that it was about."""

    name: str
    """``CancelSaga`` or ``RetrySaga``, also where it was done in bulk."""
    order_id: int
    outcome: Outcome
    code: str = "OK"
    """The status's name; of a bulk action's result, the reason of the refusal, such as ``TOO_LATE``."""
    began: float = 0.0
    ended: float = 0.0

    @property
    def may_be_done(self) -> bool:
        """Whether it is not certain that nothing was done."""
        return self.outcome is not Outcome.REFUSED


@dataclass(frozen=True)
class RestockCall:
    """One attempt at ``RestockProduct``."""

    product_id: int
    quantity: int
    request_id: str
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


Call = CreateCall | CancelCall | ReadCall | SagaCall | RestockCall
