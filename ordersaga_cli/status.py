"""``ordersaga status``: whether each service is ready, whether it consumes or is halted, and whether Kafka answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click
from click.core import ParameterSource
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ordersaga_cli import show
from ordersaga_cli.clients import kafka_client
from ordersaga_cli.line import Command, json_option
from ordersaga_cli.places import HOST_PORT, KAFKA, ROOT, Place, address_option, running, secured, with_port
from ordersaga_cli.settings import read
from ordersaga_cli.stacks import running_stack
from ordersaga_cli.table import Column, print_table
from sagakit.runtime.client_tls import ReadingSettings
from sagakit.runtime.reported import Report, read_report
from sagakit.service.manifest import found

_KAFKA_SECONDS = 5.0


@dataclass(frozen=True)
class _Kafka:
    """Whether Kafka answers. A service stays ready without it: it takes orders, which then wait."""

    address: str
    answers: bool
    reason: str | None = None
    """Why not."""


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
    metavar=HOST_PORT,
    help="The address of a service's metrics; give it once for each, or several in the variable, with blanks between."
    "  [default: the services of the running stack, or 127.0.0.1:9101 and on]",
)
@json_option
@address_option(KAFKA, required=False)
@click.pass_context
def status(ctx: click.Context, addresses: Sequence[str], *, as_json: bool, kafka: str) -> None:
    """Status of the services: ready or not, halted or not, since when and why; and of which stack they are.

    A service halts when it can handle no message at all: the fault is then in the code, and nothing is parked. Kafka is
    asked too, where its address is known, as orders stay PENDING without it. The exit code is 1 where a service is not
    ready, or Kafka does not answer.
    """
    stack = None if addresses else running_stack()
    looks = [_look(name, address) for name, address in _places(addresses)]
    # Whoever names the services means another stack, perhaps, than the one whose Kafka was found.
    named = ctx.get_parameter_source(KAFKA.key) is not ParameterSource.DEFAULT
    messages = _ask_kafka(kafka) if kafka and (named or not addresses) else None
    if as_json:
        document = {
            "stack": str(stack.folder.absolute()) if stack else None,
            "kafka": asdict(messages) if messages else None,
        }
        show.document({**document, "services": [asdict(one) for one in looks]})
    else:
        columns = (
            "service",
            Column("metrics", 2),
            "ready",
            Column("consuming", folds=True),
            Column("parked since its start", 3, folds=True),
            Column("why", folds=True),
        )
        print_table(columns, [(*_row(one), one.reason or "") for one in looks])
        show.say(_words(messages))
        if stack:
            show.say(f"Stack: {stack.folder.absolute()}, found {stack.found}.")
        elif not addresses:
            show.say("No stack was found that runs on this machine; these are the default addresses.")
    if not all(one.ready for one in looks) or (messages and not messages.answers):
        ctx.exit(1)


def _places(addresses: Sequence[str]) -> list[tuple[str, str]]:
    if addresses:
        return [("", with_port(address, "--metrics")) for address in addresses]
    return [
        (name, running(_metrics_of(name)) or f"127.0.0.1:{manifest.metrics_port}")
        for name, manifest in found(ROOT).items()
    ]


def _metrics_of(name: str) -> Place:
    return Place(name, "", name, "metrics", "")


def _look(name: str, address: str) -> Report:
    return read_report(name, address, read(ReadingSettings, secured(_metrics_of(name), address)).context())


def _ask_kafka(address: str) -> _Kafka:
    """Ask Kafka for what any client asks for first."""
    try:
        AdminClient(kafka_client(address)).list_topics(timeout=_KAFKA_SECONDS)
    except KafkaException as error:
        return _Kafka(address, answers=False, reason=error.args[0].str())
    return _Kafka(address, answers=True)


def _words(kafka: _Kafka | None) -> str:
    if kafka is None:
        return f"Kafka was not asked: {KAFKA.option} or {KAFKA.variable} names its address."
    if kafka.answers:
        return f"Kafka answers at {kafka.address}."
    return f"Kafka does not answer at {kafka.address} ({kafka.reason}): until it does, orders stay PENDING."


def _row(one: Report) -> tuple[str, str, str, str, int | str]:
    consuming = f"halted since {one.since}" if one.halted else "yes" if one.ready else "no"
    if one.held_back:
        consuming += f", {one.held_back} held back"
    parked = "" if one.dead_letters is None else one.dead_letters
    return one.service, one.metrics, "yes" if one.ready else "no", consuming, parked
