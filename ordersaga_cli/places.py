"""The servers' addresses: from an option, a variable, the stack that runs on this machine, or a default."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from ordersaga_cli.line import Failed, Function
from ordersaga_cli.stacks import running_stack

Login = Literal["operators", "replay"]
"""Who the command line is to Kafka: somebody who looks, or somebody who sends dead letters again."""
_TOKEN_FILE = "ordersaga_cli.token_file"  # noqa: S105 - the name under which click keeps it
ROOT = Path(__file__).parents[1]
"""Where the services' packages lie; in an image only one."""


HOST_PORT = "HOST:PORT"


@dataclass(frozen=True)
class Place:
    """A server that commands talk to, and where its address comes from."""

    name: str
    variable: str
    key: str
    """Its name in the state file."""
    field: str
    """The field of its record in the state file that has the address."""
    form: str
    default: str = ""

    @property
    def option(self) -> str:
        """The option that names the address."""
        return "--" + self.variable.lower().replace("_", "-")

    def how_to_set(self) -> str:
        """Say how its address is set."""
        return f"set its address by {self.option} or {self.variable}, or start everything with `make up`"


ORDER_SVC = Place("order_svc", "ORDER_SVC_ADDRESS", "order_svc", "grpc", HOST_PORT, "127.0.0.1:50051")
PRODUCT_SVC = Place("product_svc", "PRODUCT_SVC_ADDRESS", "product_svc", "grpc", HOST_PORT, "127.0.0.1:50052")
DELIVERY_SVC = Place("delivery_svc", "DELIVERY_SVC_ADDRESS", "delivery_svc", "grpc", HOST_PORT, "127.0.0.1:50053")
ORCHESTRATOR_SVC = Place(
    "orchestrator_svc", "ORCHESTRATOR_SVC_ADDRESS", "orchestrator_svc", "grpc", HOST_PORT, "127.0.0.1:50054"
)
KAFKA = Place("Kafka", "KAFKA_BOOTSTRAP_SERVERS", "kafka", "bootstrap", "HOST:PORT,…")
REGISTRY = Place("the schema registry", "SCHEMA_REGISTRY_URL", "registry", "url", "URL")


def with_port(address: str, option: str) -> str:
    """Return ``address``, which ``option`` or its variable gives.

    Raises:
        click.BadParameter: it has no port.
    """
    if not re.search(r":[0-9]+$", address) and "/" not in address:  # gRPC has names such as unix:///run/shop.sock
        raise click.BadParameter(f"{address!r} has no port; it is given as {HOST_PORT}", param_hint=f"'{option}'")
    return address


def address_option(place: Place, *, required: bool = True) -> Callable[[Function], Function]:
    """Give a command the option for the address of ``place``; the parameter has the name of its key."""

    def resolve(ctx: click.Context, _: click.Parameter, value: str | None) -> str:
        if ctx.resilient_parsing:  # for a shell that completes the line
            return value or ""
        found = value or running(place) or place.default
        if not found and required:
            raise click.UsageError(f"no address of {place.name}: {place.how_to_set()}")
        return with_port(found, place.option) if place.form == HOST_PORT else found

    return click.option(
        place.option,
        place.key,
        envvar=place.variable,
        show_envvar=True,
        callback=resolve,
        metavar=place.form,
        help=f"Where {place.name} is." + (f"  [default: {place.default}]" if place.default else ""),
    )


def service_option(place: Place) -> Callable[[Function], Function]:
    """Give a command the options for the address of a service of ours, and for the token that it may ask for."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        ctx.meta[_TOKEN_FILE] = value

    def decorate(function: Function) -> Function:
        option = click.option(
            "--token-file",
            expose_value=False,
            callback=keep,
            metavar="FILE",
            help="A file with a token, where the services ask for one.  [else env var: ORDERSAGA_TOKEN, and others]",
        )
        return address_option(place)(option(function))

    return decorate


def token_file() -> str | None:
    """Return the file that the command's ``--token-file`` names."""
    ctx = click.get_current_context(silent=True)
    return ctx.meta.get(_TOKEN_FILE) if ctx else None


def running(place: Place) -> str:
    """Return the address of ``place`` in the stack that runs on this machine; empty where none runs.

    A part that has died keeps its address while others run, because the default may be another stack's.

    Raises:
        Failed: another user of the machine may have written what says so.
    """
    stack = running_stack()
    if stack is None:
        return ""
    try:
        record = stack.state.get(place.key) or stack.state["services"][place.key]
        return str(record[place.field])
    except (KeyError, TypeError):
        return ""


def secured(place: Place, address: str, login: Login = "operators") -> Path | None:
    """Return the file with the settings of ``login`` for the stack that runs on this machine, where it is closed.

    Return None where the stack is open, or ``address`` is not that of its ``place``: no other server gets passwords.
    """
    return _lent(place, address, login)


def lent_token(place: Place, address: str) -> Path | None:
    """Return the file with an operator's token for the stack that runs on this machine, as `secured` does."""
    return _lent(place, address, "operator_token")


def _lent(place: Place, address: str, what: str) -> Path | None:
    try:
        stack = running_stack()
        if stack is None or not address or address != running(place):
            return None
        return Path(stack.state["security"][what])
    except (Failed, KeyError, TypeError):
        return None
