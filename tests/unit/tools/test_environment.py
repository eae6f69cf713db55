"""What the lock files install."""

from collections import defaultdict
from importlib.metadata import distributions


def test_no_two_packages_bring_the_same_file() -> None:
    """Whichever is installed last would win, and they are installed in no order: so the types were, of gRPC."""
    owners: dict[str, set[str]] = defaultdict(set)
    for distribution in distributions():
        for file in distribution.files or ():
            if not str(file).startswith("..") and file.suffix in {".py", ".pyi", ".so"}:
                owners[str(file)].add(distribution.metadata["Name"])
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}
