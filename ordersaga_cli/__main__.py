"""``ordersaga``, also as ``python -m ordersaga_cli``."""

import click

from ordersaga_cli.letters import dlq
from ordersaga_cli.line import Group
from ordersaga_cli.orders import order
from ordersaga_cli.sagas import saga
from ordersaga_cli.schemas import schemas
from ordersaga_cli.topics import topics


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def ordersaga() -> None:
    """Place orders, see where their sagas stand, and mend what does not get on.

    Every command takes --json: one JSON document, or one a line where results keep coming; its fields are named as in
    the proto files. Exit codes: 0 done, 1 failed or refused, 2 wrong usage.

    Where the servers are is told by options or variables, and else read from .devstack/state.json of this folder.
    """


for command in (order, saga, dlq, topics, schemas):
    ordersaga.add_command(command)


def main() -> None:
    """Run the command that the process's arguments name, and end the process."""
    ordersaga(prog_name="ordersaga")


if __name__ == "__main__":
    main()
