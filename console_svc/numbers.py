"""Numbers as addresses and forms write them: an order's id, a user's, a price."""

_DIGITS = 19


def positive(text: str) -> int | None:
    """Return the whole number from 1 to 2**63 - 1 that ``text`` is; None where it is anything else."""
    if not (text.isascii() and text.isdecimal() and len(text.lstrip("0")) <= _DIGITS):
        return None
    number = int(text.lstrip("0") or "0")
    return number if 0 < number < 2**63 else None


def positives(texts: list[str]) -> list[int]:
    """Return the numbers among ``texts``, as `positive` reads them."""
    return [number for text in texts if (number := positive(text)) is not None]
