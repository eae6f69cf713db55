"""Shared by all commands: help with examples, common options, and errors in one sentence."""

import getpass
import re
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import IO, Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,9})([smhd])")
_LONGEST_NAME = 100


class Failed(click.ClickException):
    """The command failed: one sentence on standard error, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence."""
        click.echo(f"ordersaga: {self.format_message()}", file=file or sys.stderr)


class Command(click.Command):
    """A command whose help shows examples and the next step."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), then: str = "", **kwargs: Any) -> None:  # noqa: ANN401 - click's
        """Make a command with ``examples``, and the next step in ``then``."""
        super().__init__(*args, **kwargs)
        self.examples, self.then = tuple(examples), then

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the next step below the options."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")
        if self.then:
            formatter.write_paragraph()
            formatter.write_text(f"Next: {self.then}")


class Group(click.Group):
    """A group that lists its commands in the order in which they were added."""

    command_class = Command
    group_class = type

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Return the commands' names in that order."""
        return list(self.commands)


class _Duration(click.ParamType[timedelta]):
    """A duration, such as ``10m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401 - click's
        """Parse it."""
        if isinstance(value, timedelta):
            return value
        found = _DURATION.fullmatch(str(value))
        if not found:
            self.fail(f"{value!r} is no duration such as 90s, 10m, 2h or 1d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class _Number(click.ParamType[int]):
    """A whole number that a request can carry."""

    name = "number"

    def __init__(self, least: int, bits: int = 64, wanted: str = "whole number") -> None:
        """Take numbers from ``least`` to the largest of so many bits; what is none is said to be no ``wanted``."""
        self._least, self._most, self._wanted = least, 2 ** (bits - 1) - 1, wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's
        """Parse it."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is no {self._wanted}", param, ctx)
        if not self._least <= number <= self._most:
            self.fail(f"{value} is not between {self._least} and {self._most}", param, ctx)
        return number


DURATION = _Duration()
ID = PIECES = _Number(1)
STOCK = _Number(0)
PRICE = _Number(0, wanted="whole number of minor units (cents): 99.50 is 9950")
LIMIT = _Number(1, bits=32)


def json_option(function: Function) -> Function:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text for people.")(function)


def yes_option(function: Function) -> Function:
    """Give a command ``--yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask first; needed without a terminal.")(function)


def actor_option(function: Function) -> Function:
    """Give a command ``--actor``."""
    return click.option(
        "--actor", default=user_name, help="Who does this, for the history.  [default: your user name]"
    )(function)


def user_name() -> str:
    """Return the name of the user who runs this."""
    try:
        return getpass.getuser()[:_LONGEST_NAME]
    except (OSError, KeyError):  # a user id without a name
        return "unknown"


def ask_first(question: str, *, yes: bool) -> None:
    """Ask before many things are changed at once, unless ``yes`` is set.

    Raises:
        click.Abort: the answer is no.
        click.UsageError: there is no terminal at which somebody could be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody can be asked without a terminal: --yes says that it is meant")
    click.confirm(question, abort=True, err=True)
