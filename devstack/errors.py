"""What goes wrong while starting, in one line that a person understands."""

from collections.abc import Callable


class DevstackError(Exception):
    """The stack cannot do what was asked; the text says why, and what to do."""


def each(*checks: Callable[[], object]) -> None:
    """Run all of ``checks``, so that a person hears of everything that is wrong at once.

    Raises:
        DevstackError: some fail; its text has a line for each.
    """
    wrong = []
    for check in checks:
        try:
            check()
        except DevstackError as error:
            wrong.append(str(error))
    if wrong:
        raise DevstackError("\n".join(wrong))


def in_one_line(error: Exception) -> str:
    """Return what ``error`` says, in one line of a bearable length."""
    return " ".join(str(error).split())[:300]
