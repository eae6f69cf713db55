"""The documentation is found and can be read: a front door, an index of every page, and names that exist."""

import re
from pathlib import Path

from tools.paths import ROOT

DOCS = ROOT / "docs"
PATH = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)[`:]")
LONGEST_PAGE = 250
LONGEST_README = 150


def pages() -> list[Path]:
    """Every page that is read as it stands now; decisions are kept as they were made."""
    return [page for page in DOCS.rglob("*.md") if page.parent.name != "decisions"]


def test_the_readme_is_a_front_door() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= LONGEST_README


def test_no_page_has_more_than_250_lines_of_prose() -> None:
    texts = {
        page.name: re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL) for page in pages()
    }
    lengths = {name: len(text.splitlines()) for name, text in texts.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_PAGE} == {}


def test_the_index_lists_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    others = {page.relative_to(DOCS).as_posix() for page in pages()} - {"README.md"}
    assert {page for page in others if f"]({page})" not in index} == set(), "give these a line in docs/README.md"


def test_every_file_that_a_page_names_is_there() -> None:
    named = {(page.name, path) for page in pages() for path in PATH.findall(page.read_text())}
    assert named
    assert {(page, path) for page, path in named if not (ROOT / path).exists()} == set()


def test_the_page_of_metrics_names_each_that_there_is_and_no_other() -> None:
    code = [path.read_text() for room in ("sagakit", "*_svc") for path in ROOT.glob(f"{room}/**/*.py")]
    there = set(re.findall(r'"((?:sagakit|ordersaga)_[a-z_]+)",?\s', "\n".join(code)))
    assert there
    assert set(re.findall(r"`((?:sagakit|ordersaga)_[a-z_]+)`", (DOCS / "metrics.md").read_text())) == there


def test_the_page_of_metrics_names_each_module_that_defines_one_and_no_other() -> None:
    code = {path: path.read_text() for room in ("sagakit", "*_svc") for path in ROOT.glob(f"{room}/**/*.py")}
    there = {path.name for path, text in code.items() if re.search(r'"(?:sagakit|ordersaga)_[a-z_]+",?\s', text)}
    assert set(re.findall(r"([a-z_]+\.py)`", (DOCS / "metrics.md").read_text())) == there
