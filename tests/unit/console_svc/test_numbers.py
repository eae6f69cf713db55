"""Numbers in addresses and forms: anything that is none is said to be none, and breaks nothing."""

import pytest

from console_svc.numbers import positive, positives


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0042", 42), (str(2**63 - 1), 2**63 - 1)])
def test_a_positive_whole_number_is_read(text: str, number: int) -> None:
    assert positive(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", "1.5", "1e3", "1_000", " 1", "٣", "²", str(2**63), "9" * 5_000, "0" * 5_000, "x"]
)
def test_anything_else_is_none(text: str) -> None:
    assert positive(text) is None


def test_those_that_are_none_are_left_out_of_a_list() -> None:
    assert positives(["7", "", "x", "9" * 5_000, "8"]) == [7, 8]
