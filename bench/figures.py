"""What a measurement yields: figures by name, round by round."""

from collections.abc import Mapping, Sequence

Figures = dict[str, float]
"""What one round measured, by name; the unit is in the name."""
Rounds = dict[str, list[Figures]]
"""By name of what was measured: the figures of each of its rounds."""

_MS = 1000


def quantile(seconds: Sequence[float], part: float) -> float:
    """Return a quantile of times in seconds, in milliseconds; ``part`` is 0 to 1."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * part))] * _MS


def times(name: str, seconds: Sequence[float], *parts: int) -> Figures:
    """Return the percentiles ``parts`` of times in seconds, as figures of ``name`` in milliseconds."""
    return {f"{name} p{part} ms": quantile(seconds, part / 100) for part in parts}


def ratios(figures: Mapping[str, float], to: Mapping[str, float]) -> Figures:
    """Return each figure's ratio to the one of the same name in ``to``, where that is not 0."""
    return {name: value / to[name] for name, value in figures.items() if to.get(name)}
