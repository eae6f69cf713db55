"""The kit serves any saga: no word of the shop stands in it, neither in messages nor in comments."""

import re

from tools.paths import ROOT

A_SEQUENCE = re.compile(
    r"\b(?:in|any|no|which)(?: the| their)?(?: \w+(?:'s)?)? order\b|\border (?:of|in which)\b|\bORDER BY\b"
)
"""Where "order" says what comes after what."""
NOT_THE_SHOPS = re.compile(r"itertools\.product|order_by|on_delivery|delivery report")
OF_THE_SHOP = re.compile(
    r"\borders?\b|\border(?:_|saga)|\bproducts?\b|deliver(?:y|ies)\b|\bcustomer|\bshop|\bstock\b|\bparcel",
    re.IGNORECASE,
)


def words_of_the_shop(text: str) -> list[str]:
    """Return the lines in which the shop is spoken of."""
    return [
        line.strip()
        for line in text.splitlines()
        if OF_THE_SHOP.search(NOT_THE_SHOPS.sub("", A_SEQUENCE.sub("", line)))
    ]


def test_no_word_of_the_shop_stands_in_the_kit() -> None:
    files = [file for file in sorted((ROOT / "sagakit").rglob("*")) if file.suffix in {".py", ".md", ".toml"}]
    assert files
    found = {file.relative_to(ROOT).as_posix(): words_of_the_shop(file.read_text()) for file in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_shop_is_told_from_a_sequence() -> None:
    assert words_of_the_shop('raise Refused(f"the saga of order {saga_id}")') != []
    assert words_of_the_shop("Locks them in key order, and answers in any order.") == []
