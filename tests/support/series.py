"""Reading what this process counts and measures. Other tests have counted before, so a test reads differences."""

from prometheus_client import REGISTRY


class Since:
    """By how much samples have changed since this was made."""

    def __init__(self) -> None:
        self._before = _all()

    def __call__(self, sample: str, **labels: str) -> float:
        """Return by how much ``sample`` has changed; one that was not there began at zero."""
        key = sample, frozenset(labels.items())
        return _difference(_all().get(key, 0.0), self._before.get(key, 0.0))

    def all(self, sample: str) -> dict[tuple[str, ...], float]:
        """Return each series of ``sample`` that has changed, by the values of its labels, in their names' order."""
        now = {labels: value for (name, labels), value in _all().items() if name == sample}
        changed = {labels: _difference(value, self._before.get((sample, labels), 0.0)) for labels, value in now.items()}
        return {tuple(value for _, value in sorted(labels)): by for labels, by in changed.items() if by}


def value(sample: str, **labels: str) -> float | None:
    """Return what ``sample`` shows now; None where it is not there."""
    return _all().get((sample, frozenset(labels.items())))


def _difference(now: float, before: float) -> float:
    """Return ``now - before``, without what adding many durations has made of the last digits."""
    return round(now - before, 6)


def _all() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (one.name, frozenset(one.labels.items())): one.value for family in REGISTRY.collect() for one in family.samples
    }
