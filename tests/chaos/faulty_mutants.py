"""What can be deliberately broken in a fault build, by name: each mutant breaks one promise, and the checker tells."""

from collections.abc import Callable

MUTANTS: dict[str, Callable[[], None]] = {}
