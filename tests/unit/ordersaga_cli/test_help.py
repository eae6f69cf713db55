"""The help: every command shows examples and the next step."""

from collections.abc import Iterator

import click
import pytest

from ordersaga_cli.__main__ import ordersaga
from ordersaga_cli.line import Command
from tests.unit.ordersaga_cli.line import typed


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


ALL = dict(commands(ordersaga))


def test_these_are_the_commands() -> None:
    assert list(ALL) == [
        "order create", "order get", "order watch", "order cancel", "order list",
        "saga list", "saga show", "saga retry", "saga cancel", "saga watch", "saga top",
        "product list", "product show", "product movements", "product restock", "product create",
        "delivery list", "delivery show",
        "dlq list", "dlq show", "dlq replay", "dlq drop",
        "topics", "claim", "schemas check", "schemas register", "status", "token",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ALL)
def test_its_help_has_examples_and_the_next_step_and_json(path: str) -> None:
    result = typed(f"{path} --help")
    assert result.code == 0
    assert f"  ordersaga {path}" in result.out.partition("Examples:")[2]
    assert "Next: " in result.out
    assert "--json" in result.out


@pytest.mark.parametrize("path", ALL)
def test_its_examples_are_lines_that_it_takes(path: str) -> None:
    command = ALL[path]
    assert isinstance(command, Command)
    for example in command.examples:
        result = typed(f"{example.removeprefix('ordersaga ')} --help")
        assert (result.code, result.err) == (0, "")


def test_the_top_shows_the_exit_codes_and_where_addresses_come_from() -> None:
    result = typed("--help")
    assert "0 done, 1 failed or refused, 2 wrong usage" in " ".join(result.out.split())
    assert ".devstack/state.json" in result.out


CREATE = "order create --user 1 --product 1 --price"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ordr list", "No such command 'ordr'. Did you mean 'order'?"),
        ("saga shw 1", "No such command 'shw'. Did you mean 'show'?"),
        ("bogus", "No such command 'bogus'."),
        (f"{CREATE} 99.5", "'--price': '99.5' is no whole number of minor units (cents): 99.50 is 9950"),
        (f"{CREATE} 9 --quantity x", "'--quantity': 'x' is no whole number"),
        (f"{CREATE} {2**63}", f"'--price': {2**63} is not between 0 and {2**63 - 1}"),
        ("saga retry --stuck --yes --limit 2147483648", "'--limit': 2147483648 is not between 1 and 2147483647"),
        ("order get 1 --order-svc-address 127.0.0.1", "'127.0.0.1' has no port; it is given as HOST:PORT"),
        ("order get 1 --order-svc-address [::1]", "'[::1]' has no port; it is given as HOST:PORT"),
        ("status --metrics 127.0.0.1", "'--metrics': '127.0.0.1' has no port; it is given as HOST:PORT"),
    ],
)
def test_a_slip_is_named_in_a_sentence_and_nothing_is_done(line: str, said: str) -> None:
    result = typed(line)
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].endswith(said)


def test_an_address_in_a_variable_needs_its_port_too() -> None:
    result = typed("order get 1", {"ORDER_SVC_ADDRESS": "127.0.0.1"})
    assert (result.code, "'127.0.0.1' has no port" in result.err) == (2, True)
