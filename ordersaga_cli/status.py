"""``ordersaga status``: whether each service is ready, and whether it consumes or is halted, since when and why."""

import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import click
from prometheus_client.parser import text_string_to_metric_families

from ordersaga_cli import show
from ordersaga_cli.line import Command, json_option
from ordersaga_cli.places import ROOT, Place, running, secured
from ordersaga_cli.settings import read
from sagakit.runtime.client_tls import ReadingSettings
from sagakit.service.manifest import found

_SECONDS = 5.0
_NOT_READY = "it starts or stops, waits for Kafka or the registry, or its database takes no writes: its log says which"


@dataclass(frozen=True)
class _Status:
    """A service's state, by its metrics."""

    service: str
    metrics: str
    ready: bool = False
    halted: bool = False
    since: str | None = None
    """Since when it is halted, in UTC."""
    reason: str | None = None
    """Why it is halted, or does not answer, or where to look why it is not ready."""
    held_back: int = 0
    """Messages that fail for no known reason, and wait until another of their kind is handled."""
    dead_letters: int = 0
    """Messages parked since it was started."""


@click.command(
    cls=Command,
    examples=["ordersaga status", "ordersaga status --metrics 10.0.0.7:9090 --json"],
    then="what is halted tries again by itself; its log has the error. `ordersaga dlq list` shows what was parked.",
)
@click.option(
    "--metrics",
    "addresses",
    multiple=True,
    envvar="ORDERSAGA_METRICS",
    show_envvar=True,
    metavar="HOST:PORT",
    help="The address of a service's metrics; give it once for each, or several in the variable, with blanks between."
    "  [default: the services of the running stack, or 127.0.0.1:9101 and on]",
)
@json_option
@click.pass_context
def status(ctx: click.Context, addresses: Sequence[str], *, as_json: bool) -> None:
    """Status of the services: ready or not, halted or not, since when and why.

    A service halts when it can handle no message at all: the fault is then in the code, and nothing is parked. The
    exit code is 1 where a service is not ready.
    """
    looks = [_look(name, address) for name, address in _places(addresses)]
    if as_json:
        show.document({"services": [asdict(one) for one in looks]})
    else:
        columns = ("service", "metrics", "ready", "consuming", "parked since its start", "why")
        show.table(columns, [(*_row(one), one.reason or "") for one in looks])
    if not all(one.ready for one in looks):
        ctx.exit(1)


def _places(addresses: Sequence[str]) -> list[tuple[str, str]]:
    if addresses:
        return [("", address) for address in addresses]
    return [
        (name, running(_metrics_of(name)) or f"127.0.0.1:{manifest.metrics_port}")
        for name, manifest in found(ROOT).items()
    ]


def _metrics_of(name: str) -> Place:
    return Place(name, "", name, "metrics", "")


def _look(name: str, address: str) -> _Status:
    context = read(ReadingSettings, secured(_metrics_of(name), address)).context()
    url = f"https://{address}/metrics" if context else f"http://{address}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS, context=context) as answer:  # noqa: S310 - one of these
            families = list(text_string_to_metric_families(answer.read().decode()))
    except (OSError, ValueError) as error:
        return _Status(name, address, reason=f"it does not answer: {getattr(error, 'reason', error)}")
    samples = [sample for family in families for sample in family.samples]
    values = {sample.name: sample.value for sample in samples}
    since = values.get("sagakit_consumer_halted_since_seconds")
    reasons = [s.labels["reason"] for s in samples if s.name == "sagakit_consumer_halted_reason"]
    ready = values.get("sagakit_ready") == 1
    return _Status(
        name,
        address,
        ready=ready,
        halted=values.get("sagakit_consumer_halted") == 1,
        since=datetime.fromtimestamp(since, UTC).isoformat(sep=" ", timespec="seconds")[:19] if since else None,
        reason=reasons[0] if reasons else None if ready else _NOT_READY,
        held_back=int(values.get("sagakit_messages_held_back", 0)),
        dead_letters=int(sum(s.value for s in samples if s.name == "sagakit_dead_letters_total")),
    )


def _row(one: _Status) -> tuple[str, str, str, str, int]:
    consuming = f"halted since {one.since}" if one.halted else "yes" if one.ready else "no"
    if one.held_back:
        consuming += f", {one.held_back} held back"
    return one.service, one.metrics, "yes" if one.ready else "no", consuming, one.dead_letters
