"""The options that pick sagas, for the list, the watch and the bulk actions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps

import click
from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from ordersaga_cli.line import DURATION

_STATUSES = [name.removeprefix("SAGA_STATUS_") for name in pb.SagaStatus.keys() if pb.SagaStatus.Value(name)]  # noqa: SIM118 - no dict


@dataclass(frozen=True)
class Filter:
    """The filter that was asked for; a field that is None lets any saga pass."""

    stuck: bool | None
    status: str | None
    step: str | None
    older_than: timedelta | None
    retrying: bool | None
    undone_for: str | None

    def __bool__(self) -> bool:
        """Whether any field is set."""
        return any(one is not None for one in vars(self).values())

    @property
    def status_value(self) -> pb.SagaStatus.ValueType:
        """The status as a proto enum value."""
        return pb.SagaStatus.Value(f"SAGA_STATUS_{self.status or 'UNSPECIFIED'}")

    @property
    def min_age(self) -> Duration | None:
        """The least age as a proto duration."""
        if self.older_than is None:
            return None
        age = Duration()
        age.FromTimedelta(self.older_than)
        return age

    def proto(self) -> pb.SagaFilter:
        """Return the filter of a bulk action or a watch."""
        return pb.SagaFilter(
            status=self.status_value,
            step=self.step or "",
            stuck=self.stuck,
            min_age=self.min_age,
            retrying=self.retrying,
            reason=self.undone_for or "",
        )

    def words(self) -> str:
        """Describe the sagas that it picks."""
        parts = [
            "" if self.stuck is None else "stuck" if self.stuck else "not stuck",
            self.status or "",
            f"waiting at {self.step}" if self.step else "",
            f"older than {self.older_than}" if self.older_than is not None else "",
            "" if self.retrying is None else "retrying" if self.retrying else "not retrying",
            f"undone for {self.undone_for}" if self.undone_for else "",
        ]
        return ", ".join(part for part in parts if part)


def filter_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a `Filter`, as its parameter ``asked``."""

    @wraps(function)
    def with_filter(
        *,
        stuck: bool | None,
        status: str | None,
        step: str | None,
        older_than: timedelta | None,
        retrying: bool | None,
        undone_for: str | None,
        **others: object,
    ) -> None:
        function(asked=Filter(stuck, status, step, older_than, retrying, undone_for), **others)

    command: Callable[..., None] = with_filter
    for option in (
        click.option(
            "--older-than", type=DURATION, metavar="TIME", help="Began at least this long ago: 90s, 10m, 2h, 1d."
        ),
        click.option("--step", help="Waiting for this step, such as create-delivery."),
        click.option(
            "--status",
            type=click.Choice(_STATUSES, case_sensitive=False),
            metavar="STATUS",
            help=f"In this status: {', '.join(_STATUSES)}.",
        ),
        click.option("--undone-for", metavar="REASON", help="Undone for this reason, such as OUT_OF_STOCK."),
        click.option("--retrying/--not-retrying", default=None, help="Its command was sent again (or not); not stuck."),
        click.option("--stuck/--not-stuck", default=None, help="An operator should look (or need not)."),
    ):
        command = option(command)
    return command
