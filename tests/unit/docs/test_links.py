"""Whoever follows a link in the documentation arrives: at a file that is there, at a heading that it has."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tools.paths import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
FENCED = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NO_PLACE = ("http://", "https://", "mailto:")


def pages() -> list[Path]:
    """Every page of the repository, also one that is not committed yet; none that is ignored, such as a package's."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: its words in small letters, joined by hyphens, without punctuation."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    return frozenset(anchor(heading) for heading in HEADING.findall(FENCED.sub("", page.read_text())))


def dead_links(page: Path) -> list[str]:
    prose = CODE.sub("", FENCED.sub("", page.read_text()))
    links = [one or other for one, other in LINK.findall(prose)]
    return [link for link in links if not link.startswith(NO_PLACE) and not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, fragment = unquote(link).partition("#")
    place = (page.parent / path).resolve() if path else page
    return place.exists() and (not fragment or (place.suffix == ".md" and fragment in anchors(place)))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_link_to_a_page_or_a_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# At 3 a.m.\n[a](#at-3-am) [b](#at-4-am) [c](no.md) [d](page.md#at-3-am) `[e](in-code.md)`\n")
    assert dead_links(page) == ["#at-4-am", "no.md"]


def test_every_page_that_is_named_outside_the_documentation_is_there() -> None:
    command = ["git", "grep", "-hoE", r"\bdocs/[a-z0-9/-]+\.md", "--", ":!*.md"]
    named = set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())
    assert named
    assert {page for page in named if not (ROOT / page).exists()} == set()
