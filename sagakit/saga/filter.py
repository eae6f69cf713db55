"""The filter of sagas that lists, watches and bulk actions share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sagakit.saga.instance import Instance, Status


@dataclass(frozen=True, slots=True)
class Filter:
    """Picks sagas; a field that is None lets any saga pass."""

    status: Status | None = None
    step: str | None = None
    """Only those that await this step's reply."""
    stuck: bool | None = None
    min_age: timedelta | None = None
    """Only those that began at least so long ago."""
    retrying: bool | None = None
    """Only those whose pending command was sent again and that are not stuck, or only the others."""
    reason: str | None = None
    """Only those that compensate, or compensated, for this reason."""
    ids: Sequence[int] | None = None
    under_way: bool = False
    """Only those that have not ended."""

    def fits(self, instance: Instance, now: datetime) -> bool:
        """Say whether ``instance`` passes at ``now``; the store's SQL must agree."""
        return (
            (self.status is None or instance.status is self.status)
            and (self.step is None or instance.step == self.step)
            and (self.stuck is None or instance.stuck is self.stuck)
            and (self.min_age is None or instance.create_time <= now - self.min_age)
            and (self.retrying is None or instance.retrying is self.retrying)
            and (self.reason is None or instance.reason == self.reason)
            and (self.ids is None or instance.saga_id in self.ids)
            and not (self.under_way and instance.ended)
        )
