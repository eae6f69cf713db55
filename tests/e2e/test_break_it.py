"""docs/break-it.md does what it says: typed line by line on an open stack of its own, and looked at in a browser."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.browser import chromium
from tests.support.line import NOWHERE
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "break-it.md").read_text()
BLOCKS = re.compile(r"^```console\n(.*?)^```$|^> In the console: ([^\n]*)$", re.MULTILINE | re.DOTALL)
"""What is typed, and what is looked at: the page's address, what it says, and what is pressed on it."""
SAID, PRESSED = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)"), re.compile(r"\*\*([^*]+)\*\*")
EXPORT = "export PATH="
"""A line for the reader's shell; here the environment has it."""
LOOKS = ("ordersaga saga list", "ordersaga saga show", "ordersaga order watch", "ordersaga dlq list")
"""What a reader types again where it does not say yet what the page shows."""
LOOK_SECONDS = 120
LETTER = re.compile(r"[a-z-]+-\d+-\d+@[0-9a-f]{12}")
ORDER = re.compile(r"^order (\d+)  PENDING$", re.MULTILINE)


@dataclass
class Typed:
    """A line of the page, with the answer that stands below it."""

    line: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Looked:
    """A page of the console, with what it says, some of it perhaps after a button was pressed."""

    path: str
    says: list[str]
    press: str
    then_says: list[str]


def steps() -> list[Typed | Looked]:
    """Return every line that the page has typed and every page that it has looked at, in their order."""
    found: list[Typed | Looked] = []
    for block in BLOCKS.finditer(PAGE):
        found += [looked(block[2])] if block[2] else typed(block[1])
    return found


def typed(block: str) -> list[Typed]:
    found: list[Typed] = []
    for text in block.splitlines():
        if text.startswith("$ "):
            found.append(Typed(text.removeprefix("$ ")))
        else:
            found[-1].shown.append(text)
    return found


def looked(sentence: str) -> Looked:
    (path,) = re.findall(r"`(/[^`]*)`", sentence)
    before, *pressed = PRESSED.split(sentence)
    press, after = pressed or ("", "")
    return Looked(path, SAID.findall(before), press, SAID.findall(after))


class Reader:
    """Types the page's lines; orders and letters have other names than on the page, and times are others."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._ours: dict[str, str] = {}
        """Our names, by those of the page."""

    def types(self, typed: Typed) -> None:
        """Type a line, and see that its answer has the lines of the page, in their order."""
        give_up = time.monotonic() + LOOK_SECONDS
        while True:
            answer = self._run(self._translated(typed.line))
            missing = self._missing(typed.shown, answer)
            if not missing:
                return
            again = typed.line.startswith(LOOKS) and time.monotonic() < give_up
            assert again, f"$ {typed.line}\nhas no line\n{missing}\nin\n{answer}"
            time.sleep(0.3)

    def looks(self, look: Looked, page: Page) -> None:
        """Open a page of the console, see that it says by itself what it should, and press what is to be pressed."""
        address = re.search(r"^address *(\S+)$", self._run("make status SERVICE=console"), re.MULTILINE)
        assert address
        page.goto(address[1] + re.sub(r"\d+$", lambda found: self._ours.get(found[0], found[0]), look.path))
        for text in look.says:
            expect(page.locator("body")).to_contain_text(text, timeout=LOOK_SECONDS * 1000)
        if look.press:
            page.get_by_label("Your name").fill("ann")
            page.get_by_role("button", name=look.press).click()
        for text in look.then_says:
            expect(page.locator("body")).to_contain_text(text, timeout=LOOK_SECONDS * 1000)

    def _run(self, line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line], cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
        )  # fmt: skip
        return done.stdout

    def _missing(self, shown: list[str], answer: str) -> str:
        self._learn(ORDER, "\n".join(shown), answer)
        self._learn(LETTER, "\n".join(shown), answer)
        answered = iter(answer.splitlines())
        for line in shown:
            wanted = plain(self._translated(line))
            if not any(says(plain(one), wanted) for one in answered):
                return line
        return ""

    def _learn(self, pattern: re.Pattern[str], shown: str, answer: str) -> None:
        """Take names that are new in the page's answer for those that are new in ours, in their order."""
        pages = [name for name in dict.fromkeys(pattern.findall(shown)) if name not in self._ours]
        ours = [name for name in dict.fromkeys(pattern.findall(answer)) if name not in self._ours.values()]
        self._ours.update(zip(pages, ours, strict=False))

    def _translated(self, line: str) -> str:
        """Return a line of the page with our names; an order's stands behind a word such as ``order``, or first."""
        named = LETTER.sub(lambda found: self._ours.get(found[0], found[0]), line)
        number = r"(^|\b(?:order|watch|show|retry|cancel) +)(\d+)(?=[ `:]|$)"
        return re.sub(number, lambda found: found[1] + self._ours.get(found[2], found[2]), named)


def says(answer: str, wanted: str) -> bool:
    """Say whether a line of an answer is the one that the page shows; where that ends in ``…``, it may go on."""
    return answer.startswith(wanted[:-1]) if wanted.endswith("…") else answer == wanted


def plain(line: str) -> str:
    """Return a line without its times, and with single blanks."""
    return " ".join(re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "TIME", line).split())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    ports = {f"{name.upper()}_{kind}_PORT": "0" for name in NAMES for kind in ("GRPC", "METRICS")} | {
        "CONSOLE_PORT": "0"
    }
    clean = {name: value for name, value in os.environ.items() if name not in {*NOWHERE, "SECURE", "MAKEFLAGS", "ARGS"}}
    own = {"CONSOLE_PORT": "0", "DEVSTACK_DATA": str(tmp_path / "data"), "XDG_STATE_HOME": str(tmp_path / "state")}
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    try:
        yield Reader({**clean, **ports, **own, "PATH": path, "COLUMNS": "200"})
    finally:
        Stack.fresh(tmp_path / "data").purge()


@pytest.mark.timeout(1200)
def test_the_page_is_true_from_its_first_line_to_its_last(reader: Reader) -> None:
    all_steps = steps()
    assert all_steps[0] == Typed("make up")
    assert len([step for step in all_steps if isinstance(step, Looked)]) >= 9
    with chromium() as browser:
        page = browser.new_page()
        for step in all_steps:
            if isinstance(step, Looked):
                reader.looks(step, page)
            elif not step.line.startswith(EXPORT):
                reader.types(step)
