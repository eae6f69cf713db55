"""What browsers load: the code of others is what its packages hold, and nothing is inline or from elsewhere."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.support import axe
from tools.paths import ROOT

CONSOLE = ROOT / "console_svc"
VENDOR = CONSOLE / "static" / "vendor"
TEMPLATES = sorted((CONSOLE / "templates").iterdir())


@pytest.mark.parametrize("folder", [VENDOR, axe.VENDOR], ids=["of-the-console", "of-the-tests"])
def test_the_code_of_others_is_what_its_packages_hold(folder: Path) -> None:
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    there = {path.name for path in folder.iterdir()} - {"README.md", "SHA256SUMS"}
    assert there == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_anything_that_the_page_s_policy_forbids(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "a script is a file"
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text), "nothing comes from another host"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_form_that_changes_something_carries_the_token_against_forgery(path: Path) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.DOTALL):
        assert "ui.csrf(" in form


def test_our_files_are_short_enough_to_read() -> None:
    for path in [*TEMPLATES, *(CONSOLE / "static").glob("*.*")]:
        assert len(path.read_text().splitlines()) <= 300, path.name
