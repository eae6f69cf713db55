"""What a mutant is: a small wrong change of the source, and the test that must not pass with it."""

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """One wrong change: in the file ``path`` the text ``old``, which stands there once, becomes ``new``."""

    path: str
    old: str
    new: str
    test: str
    """The test that must fail, as pytest names it: a file, ``::`` and a function.

    It runs what is changed in its own process. The services of the stack that is lent to it run the source as it is, so
    a test that does nothing but ask them notices no mutant.
    """
    survives: str = ""
    """Why no test can fail, where that is so; the one named is the closest."""

    @property
    def needs_servers(self) -> bool:
        """Whether its test runs on real servers."""
        return not self.test.startswith(("tests/unit/", "tests/chaos/simulation/"))

    def applied(self, text: str) -> str:
        """Return ``text``, the whole of the file, with the change in it.

        Raises:
            LookupError: ``old`` does not stand there once, so nobody can say what the mutant would change.
        """
        found = text.count(self.old)
        if found != 1:
            msg = f"{self.path} has {found} times, not once: {self.old!r}"
            raise LookupError(msg)
        return text.replace(self.old, self.new)

    def apply(self, root: Path) -> None:
        """Change the file below ``root``; raises what `applied` does."""
        file = root / self.path
        file.write_text(self.applied(file.read_text()))
