"""Times, durations, numbers and statuses as a person reads them."""

from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb
from ordersaga.order.v1 import order_pb2

ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
"""The zone in which the page that is being rendered shows times."""
_MILLISECONDS = 1000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_KINDS = {
    saga_pb.SAGA_EVENT_TYPE_STARTED: ("began", "start"),
    saga_pb.SAGA_EVENT_TYPE_STEP_DONE: ("was done", "good"),
    saga_pb.SAGA_EVENT_TYPE_STEP_REFUSED: ("was refused", "bad"),
    saga_pb.SAGA_EVENT_TYPE_STEP_UNDONE: ("was undone", "undo"),
    saga_pb.SAGA_EVENT_TYPE_CANCEL_ACCEPTED: ("cancel accepted", "undo"),
    saga_pb.SAGA_EVENT_TYPE_CANCEL_TOO_LATE: ("cancel came too late", "quiet"),
    saga_pb.SAGA_EVENT_TYPE_STEP_TIMED_OUT: ("did not answer in time", "late"),
    saga_pb.SAGA_EVENT_TYPE_STUCK: ("is stuck", "bad"),
    saga_pb.SAGA_EVENT_TYPE_RETRIED: ("was asked again", "quiet"),
}


def span(seconds: float) -> str:
    """Return a duration in its two largest units: ``340 ms``, ``12 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if abs(seconds) < 1:
        return f"{round(abs(seconds) * _MILLISECONDS)} ms"
    left, parts = round(abs(seconds)), list[str]()
    for size, name in _UNITS:
        whole, left = divmod(left, size)
        if whole or parts:
            parts.append(f"{whole} {name}" if whole else "")
        if len(parts) == 2:  # noqa: PLR2004 - two units say enough
            break
    return " ".join(filter(None, parts))


def time_of(stamp: Timestamp) -> datetime:
    """Return a moment with its zone, UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def between(first: Timestamp, last: Timestamp) -> str:
    """Return how long it was from one moment to another."""
    return span(max(0.0, (time_of(last) - time_of(first)).total_seconds()))


def when(stamp: Timestamp) -> Markup:
    """Return how long ago a moment was, or until it comes; the absolute time stands in its title."""
    moment = time_of(stamp)
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
        moment.isoformat(), absolute(moment), relative(moment)
    )


def clock(stamp: Timestamp) -> Markup:
    """Return a moment by the clock of the page's zone, and how long ago it was in its title."""
    return clock_of(time_of(stamp))


def clock_of(moment: datetime) -> Markup:
    """Return a moment as `clock` does."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(), relative(moment), absolute(moment)
    )


def relative(moment: datetime) -> str:
    """Return ``12 s ago``, ``in 3 min`` or ``just now``."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def absolute(moment: datetime) -> str:
    """Return a moment by the clock of the page's zone, with milliseconds and the zone's name."""
    here = moment.astimezone(ZONE.get())
    return f"{here:%Y-%m-%d %H:%M:%S}.{here.microsecond // 1000:03} {here:%Z}"


def zone_named(name: str) -> tzinfo:
    """Return the zone of this name, such as ``Europe/Vienna``; UTC where there is none."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def age(text: str) -> timedelta | None:
    """Return the duration that a filter's ``90s``, ``10m``, ``2h`` or ``7d`` names; None for anything else."""
    sizes = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if unit not in sizes or not number.isdecimal() or len(number) > 6:  # noqa: PLR2004 - no one waits for 11 days in seconds
        return None
    return timedelta(seconds=int(number) * sizes[unit])


def saga_status(status: saga_pb.SagaStatus.ValueType) -> str:
    """Return a saga's status as the filters write it, such as ``RUNNING``."""
    return saga_pb.SagaStatus.Name(status).removeprefix("SAGA_STATUS_")


def order_status(status: order_pb2.OrderStatus.ValueType) -> str:
    """Return an order's status as the filters write it, such as ``PENDING``."""
    return order_pb2.OrderStatus.Name(status).removeprefix("ORDER_STATUS_")


def happened(kind: saga_pb.SagaEventType.ValueType) -> tuple[str, str]:
    """Return what an event of this kind says, and its tone: ``good``, ``bad``, ``late``, ``undo`` and others."""
    return _KINDS.get(kind, ("changed", "quiet"))


def thousands(number: float) -> str:
    """Return a number with thin spaces between its thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(number: int, one: str, many: str = "") -> str:
    """Return ``1 saga``, ``2 sagas``."""
    return f"{thousands(number)} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def without_suffix(command: str) -> str:
    """Return a command's name without the word that all commands share."""
    return command.removesuffix("Command")


def moment(text: str) -> Markup:
    """Return a moment that is written in ISO 8601 as `when` does; the text itself where it is none."""
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
            found.isoformat(), absolute(found), relative(found)
        )
    except (ValueError, OverflowError):  # none, or none that a clock of another zone can show
        return Markup("{}").format(text)
