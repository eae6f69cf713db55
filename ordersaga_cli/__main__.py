"""``ordersaga``, also as ``python -m ordersaga_cli``."""

from importlib import import_module

import click

from ordersaga_cli.line import Group

_COMMANDS = {
    "order": "orders",
    "saga": "sagas",
    "product": "products",
    "delivery": "deliveries",
    "dlq": "letters",
    "topics": "topics",
    "claim": "claims",
    "schemas": "schemas",
    "status": "status",
    "token": "tokens",
}
"""Each command's module. It is imported only when needed, because Kafka's and the registry's clients load slowly."""


class _Root(Group):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Return the commands' names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click gives it
        """Return a command by its name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"ordersaga_cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words name; where there is none, say which are called nearly so."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks among those that are imported: none
            raise click.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from error


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001 - click gives it
    """Print the version and the contracts that this is made for, and end."""
    if asked and not ctx.resilient_parsing:
        for line in import_module("ordersaga_cli.version").lines():
            click.echo(line)
        ctx.exit()


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, and the contracts that it speaks.",
)
def ordersaga() -> None:
    """Place orders, see the state of their sagas, and mend those that are stuck.

    Every command takes --json. It prints one JSON document, or one a line where results keep coming; the fields are
    named as in the proto files. Exit codes: 0 done, 1 failed or refused, 2 wrong usage.

    The servers' addresses come from options or variables; else from .devstack/state.json in this folder or above it;
    else from the stack that `make up` started last.
    """


def main() -> None:
    """Run the command in the process's arguments, and end the process."""
    ordersaga(prog_name="ordersaga")


if __name__ == "__main__":
    main()
