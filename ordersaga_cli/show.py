"""Output: JSON with the proto's own names, lines, and durations."""

import json
from datetime import UTC, datetime
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def document(content: Message | dict[str, Any], *, line: bool = False) -> None:
    """Print one JSON document, with ``line`` on a single line."""
    click.echo(json.dumps(as_dict(content), ensure_ascii=False, indent=None if line else 2))


def as_dict(content: Message | dict[str, Any]) -> dict[str, Any]:
    """Return a message in proto's JSON mapping (64-bit numbers are strings), with the proto's names."""
    if isinstance(content, dict):
        return content
    return MessageToDict(content, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def clean(text: str) -> str:
    """Return ``text`` without what could move a terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def facts(message: Message) -> None:
    """Print a line for each field of ``message`` that says something."""
    for name, value in as_dict(message).items():
        if value not in ("", None):
            say(f"{name:20}{status(str(value))}")


def say(text: str) -> None:
    """Print one line."""
    click.echo(clean(text))


def status(name: str) -> str:
    """Return an enum value's name without its prefix, such as ``RUNNING`` for ``SAGA_STATUS_RUNNING``."""
    for prefix in ("SAGA_STATUS_", "ORDER_STATUS_", "DELIVERY_STATUS_", "SAGA_EVENT_TYPE_"):
        name = name.removeprefix(prefix)
    return name


def clock(moment: Timestamp) -> str:
    """Return a moment in UTC, to the millisecond."""
    return moment.ToDatetime(UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def since(moment: Timestamp) -> float:
    """Return how many seconds ago a moment was; negative for the future."""
    return (datetime.now(UTC) - moment.ToDatetime(UTC)).total_seconds()


def span(seconds: float) -> str:
    """Return a duration in at most two units."""
    whole = int(abs(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def due(moment: Timestamp) -> str:
    """Return when a deadline is, relative to now."""
    passed = since(moment)
    return f"overdue for {span(passed)}" if passed > 0 else f"in {span(passed)}"
