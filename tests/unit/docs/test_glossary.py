"""The glossary leads to the code: each term in one line, under one heading, with a place that is there."""

import re

from tools.paths import ROOT

ROW = re.compile(r"^\| (?!term \|)(?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<where>[^|]+) \|$", re.MULTILINE)
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
TERMS = {row["term"]: row["where"] for row in ROW.finditer(GLOSSARY)}


def test_each_term_has_a_line_of_its_own() -> None:
    terms = [row["term"] for row in ROW.finditer(GLOSSARY)]
    assert terms
    assert len(terms) == len(set(terms))


def test_each_term_lives_somewhere_that_is_there() -> None:
    places = {term: re.findall(r"`([^`]+)`|\]\(([^)]+)\)", where) for term, where in TERMS.items()}
    assert [term for term, found in places.items() if not found] == []
    paths = {(term, path) for term, found in places.items() for path, _ in found if path}
    assert {(term, path) for term, path in paths if not (ROOT / path).exists()} == set()
