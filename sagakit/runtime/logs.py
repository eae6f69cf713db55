"""Structured logs on standard error: JSON for machines, coloured lines on a terminal. No postal address is logged.

Lines that are written while a call or a batch is handled say of which call or message they are; `speak_of` has it so.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import structlog

About: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, object]]
"""Takes a line, and returns what is to be added to it."""
_about: ContextVar[About | None] = ContextVar("about", default=None)


def speak_of(about: About | None) -> None:
    """Have each line that follows in this thread or task say what ``about`` returns, where it says nothing else of it.

    It is called for lines that are written, and for no other. None ends that.
    """
    _about.set(about)


def configure(service: str, level: str, form: Literal["auto", "json", "console"]) -> None:
    """Send every log record of this process, ours and the libraries', to standard error in one form.

    Args:
        service: the service's name, put on every line.
        level: the least level that is written, such as ``INFO``.
        form: ``json``, ``console``, or ``auto`` for console on a terminal and JSON elsewhere.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        _service(service),
        say_about,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if not console else _keep,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)  # rich shows local variables
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger("sagakit").setLevel(level)
    # psycopg warns of each statement that a pipeline aborts after an error; we log that error where we handle it.
    logging.getLogger("psycopg").setLevel(logging.ERROR)


def _service(name: str) -> structlog.typing.Processor:
    """Return what puts the service's name on a line, whichever thread writes it."""

    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", name)
        return event

    return add


def say_about(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add to a line what `speak_of` has asked for; one of structlog's processors."""
    about = _about.get()
    if about is not None:
        for name, value in about(event).items():
            event.setdefault(name, value)
    return event


def _keep(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event


def logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one room, such as ``consumer``; its lines carry the room's name."""
    # This runs at import, before `configure`. Binding the name here would fix the configuration of that moment.
    lazy: structlog.typing.FilteringBoundLogger = structlog.get_logger(f"sagakit.{room}", room=room)
    return lazy


def one_line(error: BaseException) -> str:
    """Return the text of ``error`` in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]
