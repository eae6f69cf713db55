"""What goes wrong while starting, in one line that a person understands."""


class DevstackError(Exception):
    """The stack cannot do what was asked; the text says why, and what to do."""


def in_one_line(error: Exception) -> str:
    """Return what ``error`` says, in one line of a bearable length."""
    return " ".join(str(error).split())[:300]
