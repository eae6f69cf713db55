"""The list of dead letters: what is parked while somebody looks is counted, and pushes nothing away."""

import re

from console_svc.kafka import KafkaView
from sagakit.dead_letters.letter import Letter
from tests.support.asked_console import asking


def letter(number: int, *, partition: int = 0, group: str = "g") -> Letter:
    name, time = f"t-{partition}-{number}", f"2026-01-01T00:{number // 60:02}:{number % 60:02}"
    return Letter(name.encode(), ("t", partition, number), b"5", (), "BAD_KEY", "bad", time, 1, 9, (group, 0, number))


def parked(*numbers: int) -> KafkaView:
    return KafkaView(letters={"g": tuple(letter(number) for number in numbers)})


async def page(kafka: KafkaView, **query: str) -> str:
    async with asking(kafka=kafka) as visitor:
        return (await visitor.get("/dead-letters", params=query)).text


def rows(text: str) -> list[str]:
    return re.findall('<tr id="letter-g-([^"]+)"', text)


def mark(text: str) -> str:
    return text.partition('data-seen="')[2].partition('"')[0]


async def test_letters_that_come_later_are_counted_and_shown_when_asked_for() -> None:
    before = await page(parked(1, 2))
    later = await page(parked(1, 2, 3), seen=mark(before))
    assert rows(later) == rows(before) == ["t-0-2", "t-0-1"]
    assert "1 more was parked: show it" in later
    assert mark(later) == mark(before)
    assert "3 letters" in later
    assert rows(await page(parked(1, 2, 3))) == ["t-0-3", "t-0-2", "t-0-1"]


async def test_what_is_picked_is_not_pushed_off_a_page_that_is_full() -> None:
    before = await page(parked(*range(250)))
    later = await page(parked(*range(300)), seen=mark(before))
    assert rows(later) == rows(before)
    assert rows(before)[-1] == "t-0-50"
    assert "50 more were parked: show them" in later


async def test_the_first_letters_of_a_group_come_after_what_was_seen() -> None:
    before = await page(parked(1))
    both = KafkaView(letters={"g": (letter(1),), "h": (letter(0, group="h"),)})
    later = await page(both, seen=mark(before))
    assert "letter-h-" not in later
    assert "1 more was parked" in later


async def test_where_nothing_is_shown_the_first_come_by_themselves() -> None:
    assert mark(await page(parked())) == ""
    assert rows(await page(parked(1), seen="")) == ["t-0-1"]
    assert rows(await page(parked(2), seen=mark(await page(parked(1))))) == ["t-0-2"], "the others are dealt with"


async def test_a_mark_that_is_none_breaks_nothing() -> None:
    assert rows(await page(parked(1), seen="g/0:" + "9" * 30 + ",x,\N{ARABIC-INDIC DIGIT ONE}")) == ["t-0-1"]
