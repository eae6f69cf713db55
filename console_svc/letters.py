"""Dead letters: by group and reason, one of them decoded, sent again, dropped."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import grpc

from console_svc.acting import Action, Done, Form, Refused
from console_svc.failures import CallFailed
from console_svc.jobs import Item
from console_svc.kafka import KafkaView
from console_svc.verifying import verify
from console_svc.visit import OPERATE, Page, Visit
from sagakit.avro.shown_values import printable
from sagakit.dead_letters import dealing
from sagakit.dead_letters.letter import Letter
from sagakit.errors import SagakitError

READ: Final = "sagas:read"
_SHOWN: Final = 200
_WAIT_SECONDS: Final = 8.0
_AT_ONCE: Final = 50
_REUSED_ID: Final = "REUSED_ID"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,245}/.+", re.DOTALL)
"""A group that can have a topic of dead letters, and a letter's key."""
_LAST: Final = re.compile(r"([A-Za-z0-9._-]{1,245})/([0-9]{1,9}):([0-9]{1,18})(?![0-9])", re.ASCII)
_LONGEST_SEEN: Final = 4_000


def name_of(group: str, letter: Letter) -> str:
    """Return how forms and addresses name a letter."""
    return f"{group}/{letter.name}"


async def load(visit: Visit) -> Mapping[str, object]:
    """Return the letters that the address asks for, the newest first.

    A browser that shows letters already says up to where it has seen them (``seen``): later ones are only counted, so
    that nothing jumps under its cursor, and nothing that was picked is pushed off the page.
    """
    await _must_read(visit)
    kafka = await visit.sources.kafka.look()
    every = [(group, letter) for group, letters in kafka.letters.items() for letter in letters]
    group, reason = visit.text("group"), visit.text("reason")
    found = [one for one in every if group in {"", one[0]} and reason in {"", one[1].reason}]
    found.sort(key=lambda one: one[1].time, reverse=True)
    seen = visit.text("seen")
    known = _seen(seen)
    shown = [one for one in found if one[1].place[2] <= known.get((one[0], one[1].place[1]), -1)]
    if not shown:  # nothing can be pushed away
        seen, shown = _written(every), found
    return {
        "kafka": kafka,
        "group": group,
        "reason": reason,
        "kinds": sorted(Counter((group, letter.reason) for group, letter in every).items()),
        "letters": shown[:_SHOWN],
        "more": max(0, len(shown) - _SHOWN),
        "fresh": len(found) - len(shown),
        "seen": seen,
        "total": len(found),
        "query": urlencode({"group": group, "reason": reason}),
    }


def _written(letters: list[tuple[str, Letter]]) -> str:
    """Return up to where there are ``letters``, as an address has it: the last of each group's partitions."""
    last: dict[tuple[str, int], int] = {}
    for group, letter in letters:
        _, partition, offset = letter.place
        last[group, partition] = max(offset, last.get((group, partition), -1))
    return ",".join(f"{group}/{partition}:{offset}" for (group, partition), offset in sorted(last.items()))


def _seen(text: str) -> dict[tuple[str, int], int]:
    """Return what `_written` has written."""
    return {(group, int(partition)): int(offset) for group, partition, offset in _LAST.findall(text[:_LONGEST_SEEN])}


async def load_one(visit: Visit) -> Mapping[str, object]:
    """Read one letter, its value decoded."""
    await _must_read(visit)
    group, key = visit.parts["group"], visit.parts["key"]
    letter = _found(await visit.sources.kafka.look(), group, key)
    if letter is None:
        kafka = await visit.sources.kafka.look_again()
        if kafka.trouble:
            raise CallFailed(kafka.trouble, grpc.StatusCode.UNAVAILABLE, "")
        letter = _found(kafka, group, key)
    if letter is None:
        text = f"{group} has no dead letter {key}: it was dealt with, or never was."
        raise CallFailed(text, grpc.StatusCode.NOT_FOUND, "LETTER_NOT_FOUND")
    content = await asyncio.to_thread(_content, visit, group, letter)
    return {
        "group": group,
        "letter": letter,
        "content": content,
        "headers": [(name, printable(value)) for name, value in letter.headers],
        "source_key": printable(letter.source_key),
        "is_reused": letter.reason == _REUSED_ID,
    }


def _found(kafka: KafkaView, group: str, key: str) -> Letter | None:
    return next((one for one in kafka.letters.get(group, ()) if one.name == key), None)


def _content(visit: Visit, group: str, letter: Letter) -> dict[str, Any]:
    try:
        with visit.sources.kafka.box(group) as box:
            value = box.value(letter)
    except SagakitError as error:
        return {"schema": "", "value": None, "value_hex": "", "trouble": f"It cannot be read now: {error}"}
    return {**visit.sources.kafka.decoder().decode(value), "trouble": ""}


async def _must_read(visit: Visit) -> None:
    if visit.visitor.token:
        await verify(visit.services, visit.visitor.token)
    if not visit.visitor.may(READ):
        text = f"Your token lacks the scope {READ}, which dead letters need. Ask its issuer for it."
        raise CallFailed(text, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


async def deal(visit: Visit, form: Form) -> Done:
    """Begin to send letters again, or to drop them, as a job."""
    await _must_read(visit)
    what, names = form.text("do"), list(dict.fromkeys(form.every("letter")))
    if what not in {"replay", "drop"} or not names:
        raise Refused("Select at least one dead letter first.")
    if odd := [name for name in names if not _NAME.fullmatch(name)]:
        raise Refused(f"No dead letter is called {odd[0][:100]!r}. Select them in the list again.")
    items = [Item(name, f"/dead-letters/{name}") for name in names]

    async def work(some: list[Item]) -> None:
        await asyncio.to_thread(_deal, visit, some, to_replay=what == "replay")
        await visit.sources.kafka.look_again()

    title = f"{'Replay' if what == 'replay' else 'Drop'} dead letters"
    job = visit.sources.jobs.start(title, visit.visitor.subject, items, work, _AT_ONCE)
    return Done("", f"/jobs/{job.id}")


def _deal(visit: Visit, items: list[Item], *, to_replay: bool) -> None:
    by_group: dict[str, list[Item]] = {}
    for item in items:
        by_group.setdefault(item.key.partition("/")[0], []).append(item)
    for group, some in by_group.items():
        keys = [item.key.partition("/")[2] for item in some]
        try:
            with visit.sources.kafka.box(group, to_replay=to_replay) as box:
                chosen = dealing.named(box.letters(), keys)
                results = (
                    dealing.replay(box, chosen, _WAIT_SECONDS)
                    if to_replay
                    else [dealing.drop(box, letter) for letter in chosen]
                )
        except SagakitError as error:
            results = [dealing.Result(key, "failed", error=dealing.explained(error)) for key in keys]
        for item, result in zip(some, results, strict=True):
            item.end(result.words, good=result.good)
            if result.state == "parked":
                item.href = f"/dead-letters/{group}/{result.sent_as}"


PAGE = Page("/dead-letters", "Dead letters", "letters.html", load, every=2.0)
ONE = Page("/dead-letters/{group}/{key}", "Dead letter", "letter.html", load_one)
ACTIONS = (Action("/dead-letters", "/dead-letters", OPERATE, deal),)
