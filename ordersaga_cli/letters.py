"""``ordersaga dlq``: look at dead letters, send them again, drop them."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from ordersaga_cli import show
from ordersaga_cli.clients import kafka_client, registry_client
from ordersaga_cli.letter_view import fields_of, print_letter
from ordersaga_cli.line import Failed, Group, ask_first, json_option, yes_option
from ordersaga_cli.places import KAFKA, REGISTRY, Login, address_option
from ordersaga_cli.table import Column, print_table
from sagakit.avro.shown_values import Decoder, printable
from sagakit.dead_letters import dealing
from sagakit.dead_letters.box import NO_TOPIC, Client, DeadLetterBox, groups_with_letters
from sagakit.dead_letters.letter import Letter
from sagakit.errors import Refused, Unavailable

_SHOWN_ERROR = 100


@click.group(cls=Group)
def dlq() -> None:
    """Dead letters: look at them, send them again, drop them.

    A dead letter is a message that a consumer group could not process, with the reason.

    A group is named like its service. A letter's KEY is the topic, partition and offset of the message and, after an @,
    a short hash of it.
    """


@dlq.command(
    "list",
    examples=["ordersaga dlq list", "ordersaga dlq list product_svc --json"],
    then="`ordersaga dlq show GROUP KEY` shows one whole, `ordersaga dlq replay GROUP KEY` sends it again.",
)
@click.argument("group", required=False)
@json_option
@address_option(KAFKA)
def list_(*, group: str | None, as_json: bool, kafka: str) -> None:
    """List the dead letters of GROUP, or of every group."""
    client = kafka_client(kafka)
    with _failing_in_words(kafka):
        groups = [group] if group else groups_with_letters(client)
        found = [(one, letter) for one in groups for letter in _letters(client, one)]
    if as_json:
        show.document({"letters": [fields_of(one, letter) for one, letter in found]})
        return
    print_table(
        (
            "group",
            Column("key", folds=True),
            Column("reason", folds=True),
            Column("round", 3),
            Column("parked (UTC)", 2),
            Column("bytes", 4),
            Column("error", 1, folds=True),
        ),
        (
            (one, letter.name, letter.reason, letter.round, letter.time[:19], letter.size, letter.error[:_SHOWN_ERROR])
            for one, letter in found
        ),
    )


@dlq.command(
    "show",
    examples=["ordersaga dlq show product_svc decrease-product-command-3-17@5f0c1d9e27ab"],
    then="the last line says what can be done about this letter.",
)
@click.argument("group")
@click.argument("key")
@json_option
@address_option(KAFKA)
@address_option(REGISTRY, required=False)
def show_(*, group: str, key: str, as_json: bool, kafka: str, registry: str) -> None:
    """Show one dead letter: why it was parked, its headers and its value, decoded if possible."""
    with _opened(kafka, group) as box:
        (letter,) = dealing.named(box.letters(), [key])
        if isinstance(letter, str):
            raise Failed(f"{group} has no dead letter {letter}; `ordersaga dlq list {group}` shows those there are")
        value = box.value(letter)
    content = Decoder(registry_client(registry) if registry else None).decode(value)
    headers = [{"name": name, "value": printable(text)} for name, text in letter.headers]
    fields = {**fields_of(group, letter), "headers": headers, **content}
    if as_json:
        show.document(fields)
        return
    print_letter(fields)


@dlq.command(
    examples=[
        "ordersaga dlq replay product_svc decrease-product-command-3-17@5f0c1d9e27ab",
        "ordersaga dlq replay product_svc --reason HANDLER_ERROR --yes",
    ],
    then="what is parked again has a new key and a higher round: `ordersaga dlq show GROUP KEY` says why.",
)
@click.argument("group")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "every", is_flag=True, help="Every letter of the group.")
@click.option("--reason", help="Every letter with this reason, such as HANDLER_ERROR.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    help="Seconds to wait for the outcome.",
)
@yes_option
@json_option
@address_option(KAFKA)
def replay(
    *,
    group: str,
    keys: tuple[str, ...],
    every: bool,
    reason: str | None,
    wait: float,
    yes: bool,
    as_json: bool,
    kafka: str,
) -> None:
    """Send dead letters again to their topics, once each, and report the outcome of each.

    The exit code is 1 unless all were processed (with --wait 0: sent).
    """
    if bool(keys) + every + (reason is not None) != 1:
        raise click.UsageError("name the letters by their keys, or pick them by --all or by --reason; one of the three")
    with _opened(kafka, group, "replay") as box:
        letters = box.letters()
        picked = [one.name for one in letters if every or one.reason == reason]
        chosen = dealing.named(letters, keys or picked)
        if not keys and chosen:
            ask_first(f"Replay {len(chosen)} dead letters of {group}?", yes=yes)
        results = dealing.replay(box, chosen, wait)
    _report(results, as_json=as_json)


@dlq.command(
    examples=["ordersaga dlq drop product_svc decrease-product-command-3-17@5f0c1d9e27ab"],
    then="nothing: a dropped letter is gone. The saga that waits for it goes on by its time-outs.",
)
@click.argument("group")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@json_option
@address_option(KAFKA)
def drop(*, group: str, keys: tuple[str, ...], as_json: bool, kafka: str) -> None:
    """Drop dead letters: mark them as dealt with, and send nothing."""
    with _opened(kafka, group) as box:
        results = [dealing.drop(box, letter) for letter in dealing.named(box.letters(), keys)]
    _report(results, as_json=as_json)


def _letters(client: Client, group: str) -> list[Letter]:
    with DeadLetterBox(client, group) as box:
        return box.letters()


def _report(results: list[dealing.Result], *, as_json: bool) -> None:
    """Print the outcome for each letter; end with 1 unless all was done that was asked for."""
    if as_json:
        show.document({"results": [vars(result) for result in results]})
    else:
        for result in results:
            show.say(f"{result.key}: {result.words}")
        if not results:
            click.echo("There are no such dead letters.", err=True)
    if not all(result.good for result in results):
        raise click.exceptions.Exit(1)


@contextmanager
def _opened(kafka: str, group: str, login: Login = "operators") -> Iterator[DeadLetterBox]:
    with _failing_in_words(kafka), DeadLetterBox(kafka_client(kafka, login), group) as box:
        yield box


@contextmanager
def _failing_in_words(kafka: str) -> Iterator[None]:
    try:
        yield
    except Unavailable as error:
        raise Failed(f"{error} at {kafka}; {KAFKA.how_to_set()}") from error
    except Refused as error:
        said = dealing.explained(error)
        if error.reason == NO_TOPIC:
            said += f"; those that have one are {', '.join(groups_with_letters(kafka_client(kafka))) or 'none'}"
        raise Failed(said) from error
