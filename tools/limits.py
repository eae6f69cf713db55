"""The limits of the records' fields, from ``schemas/limits.yaml``, as lines of Python that check them."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

Limits = Mapping[str, Any]
"""One field's limits: ``gte``, ``lte``, ``max_len``, ``pattern``."""

_KNOWN = {"int": {"gte", "lte"}, "datetime": {"gte", "lte"}, "str": {"max_len", "pattern"}, "float": {"gte", "lte"}}
"""Which limits each Python type may have; one whose type is not here has none."""
_NO_NUL = r"^[^\x00]*$"


def read_limits(schemas: Path) -> dict[str, dict[str, Limits]]:
    """Return the limits of each field, by the record's name and the field's."""
    return dict(yaml.safe_load((schemas / "limits.yaml").read_text()))


def checks(fields: Mapping[str, str], limits: Mapping[str, Limits], constants: dict[str, str]) -> Iterator[str]:
    """Yield the lines of a function that returns what is wrong with the first field that is outside its limits.

    ``fields`` are the Python types of a record's fields. A time or a regular expression takes long to make, so it
    becomes a constant of the module. ``constants`` has their names by their expressions; new ones are added.

    Raises:
        ValueError: a field has no limits, or such as its type cannot have, or a field of ``limits`` does not exist.
    """
    for name in limits.keys() - fields.keys():
        raise ValueError(f"limits.yaml: there is no field {name}")
    for name, annotation in fields.items():
        kind = annotation.removesuffix(" | None")
        if kind not in _KNOWN:
            if name in limits:
                raise ValueError(f"limits.yaml: the field {name} can have no limits")
            continue
        given = limits.get(name, {})
        if not given or given.keys() - _KNOWN[kind]:
            raise ValueError(f"limits.yaml: the field {name} needs limits, of {', '.join(sorted(_KNOWN[kind]))}")
        broken = " or ".join(_broken(f"self.{name}", given, constants))
        yield f"        if {broken}:" if annotation == kind else f"        if self.{name} is not None and ({broken}):"
        words = ", ".join(f"{limit} {value}" for limit, value in given.items())
        yield f"            return {f'{name} is outside its limits: {words}'!r}"


def must_hold(name: str, default: Any, limits: Limits) -> None:  # noqa: ANN401 - what JSON has
    """See that the ``default`` of the field ``name`` is within its limits.

    Raises:
        ValueError: it is not. Every message of who does not know the field would be parked.
    """
    if default is None:
        return
    within = (
        default >= limits.get("gte", default)
        and default <= limits.get("lte", default)
        and ("max_len" not in limits or len(default) <= limits["max_len"])
        and ("pattern" not in limits or re.fullmatch(limits["pattern"], default))
    )
    if not within:
        raise ValueError(f"limits.yaml: the default of the field {name} is outside its limits")


def _broken(value: str, limits: Limits, constants: dict[str, str]) -> Iterator[str]:
    if "gte" in limits or "lte" in limits:
        low = f"{_literal(limits['gte'], constants)} <= " if "gte" in limits else ""
        high = f" <= {_literal(limits['lte'], constants)}" if "lte" in limits else ""
        yield f"not {low}{value}{high}"
    if "max_len" in limits:
        yield f"len({value}) > {limits['max_len']}"
    if limits.get("pattern") == _NO_NUL:  # the same, at an eighth of the time
        yield f'"\\0" in {value}'
    elif "pattern" in limits:
        pattern = _constant(f"re.compile({limits['pattern']!r})", constants)
        yield f"not {pattern}.fullmatch({value})"


def _literal(limit: Any, constants: dict[str, str]) -> str:  # noqa: ANN401 - a number or a time
    if isinstance(limit, datetime):
        return _constant(f"datetime.fromisoformat({limit.isoformat()!r})", constants)
    return repr(limit)


def _constant(expression: str, constants: dict[str, str]) -> str:
    return constants.setdefault(expression, f"_LIMIT_{len(constants) + 1}")
