"""Lines of logs for people: time, service, level, event, then the rest."""

import json
import re
from typing import Any

from rich.text import Text

_SERVERS = (
    # PostgreSQL's
    re.compile(r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \w+ \[\d+\] (?P<level>[A-Z]+\d?): +(?P<event>.*)"),
    # the registry's, which puts its time zone between month and day
    re.compile(r"(?P<time>\d{4}-\d\d)\+\d\d(?P<day>-\d\d \d\d:\d\d:\d\d) (?P<level>[A-Z]+) +(?P<event>.*)"),
    # Kafka's, which says only how many milliseconds it had run
    re.compile(r"(?P<ran>\d+) \[[^\]]*\] (?P<level>[A-Z]+) +(?P<event>.*)"),
)
_COLOURS = {
    "debug": "dim",
    "info": "green",
    "log": "green",
    "warning": "yellow",
    "warn": "yellow",
    "error": "bold red",
    "critical": "bold red",
    "fatal": "bold red",
    "panic": "bold red",
}
_SERVICE_WIDTH, _LEVEL_WIDTH, _TIME_WIDTH = 16, 8, 23
_SAID = {"timestamp", "service", "level", "event"}
"""What stands in columns of its own."""
_BLOCKS = ("exception", "stack")
"""What has lines of its own."""


def line_for_people(service: str, line: str) -> Text:
    """Return ``line`` of the log of ``service`` as time, service, level, event and the rest.

    A line without a time of its own, such as one of a traceback, keeps all of its words.
    """
    if (said := _record(line)) is not None:
        return _of_record(service, said)
    for form in _SERVERS:
        if found := form.match(line):
            said = found.groupdict()
            time = f"after {int(said['ran']) / 1000:.3f} s" if "ran" in said else said["time"] + said.get("day", "")
            return _columns(time, service, said["level"].lower(), Text(_clean(said["event"])))
    return _columns("", service, "", Text(_clean(line)))


def _record(line: str) -> dict[str, Any] | None:
    """Return what a line of one of our services says; None where it is not one."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and "event" in said else None


def _of_record(service: str, said: dict[str, Any]) -> Text:
    rest = Text(_clean(str(said["event"])), "bold")
    for name, value in said.items():
        if name not in _SAID and name not in _BLOCKS:
            rest.append(f"  {_clean(name)}=", "not bold cyan").append(_clean(_words(value)), "not bold")
    time = str(said.get("timestamp", ""))[:_TIME_WIDTH].replace("T", " ")
    shown = _columns(time, service, str(said.get("level", "")), rest)
    for block in _BLOCKS:
        for line in str(said.get(block) or "").splitlines():
            shown.append(f"\n    {_clean(line)}", "dim")
    return shown


def _columns(time: str, service: str, level: str, rest: Text) -> Text:
    shown = Text(f"{_clean(time):{_TIME_WIDTH}}", "dim")
    shown.append(f"  {_clean(service):{_SERVICE_WIDTH}} ", "not dim blue")
    shown.append(f"{_clean(level):{_LEVEL_WIDTH}} ", f"not dim {_COLOURS.get(level, 'default')}")
    return Text.assemble(shown, rest)


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clean(text: str) -> str:
    """Return ``text`` without what could move a terminal's cursor: a log quotes what strangers have sent."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
