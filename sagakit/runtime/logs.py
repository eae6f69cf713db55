"""Structured logs on standard error: JSON for machines, coloured lines on a terminal. No postal address is logged."""

import logging
import sys
from typing import Literal

import structlog


def configure(service: str, level: str, form: Literal["auto", "json", "console"]) -> None:
    """Send every log record of this process, ours and the libraries', to standard error in one form.

    Args:
        service: the service's name, put on every line.
        level: the least level that is written, such as ``INFO``.
        form: ``json``, ``console``, or ``auto`` for console on a terminal and JSON elsewhere.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if not console else _keep,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
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
    structlog.contextvars.bind_contextvars(service=service)


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
