"""What goes wrong while starting, in one line that a person understands."""


class DevstackError(Exception):
    """The stack cannot do what was asked; the text says why, and what to do."""
