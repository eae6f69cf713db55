"""Which changes of an Avro record are refused before they are ever registered."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.repository import commit_all, new_repository
from tools.avro_compatibility import incompatibilities, problems

BEFORE: dict[str, Any] = {
    "type": "record",
    "name": "Parcel",
    "namespace": "ordersaga.messages",
    "doc": "A parcel.",
    "fields": [
        {"name": "order_id", "type": "long", "doc": "Whose."},
        {"name": "weight", "type": "int", "doc": "Grams."},
        {"name": "note", "type": ["null", "string"], "doc": "Free text.", "default": None},
        {"name": "sent_time", "type": {"type": "long", "logicalType": "timestamp-micros"}, "doc": "When."},
    ],
}


def after(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    changed = copy.deepcopy(BEFORE)
    change(changed)
    return changed


def field(name: str, kind: object, **rest: object) -> dict[str, object]:
    return {"name": name, "type": kind, "doc": "…", **rest}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s.update(doc="Other words."), id="other words"),
        pytest.param(lambda s: s["fields"].append(field("size", "int", default=0)), id="a new field with a default"),
        pytest.param(lambda s: s["fields"].pop(2), id="a field that had a default goes"),
        pytest.param(lambda s: s["fields"].reverse(), id="another order"),
    ],
)
def test_a_change_that_both_sides_can_live_with_passes(change: Callable[[dict[str, Any]], object]) -> None:
    assert incompatibilities(json.dumps(BEFORE), json.dumps(after(change))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["fields"].append(field("size", "int")), "field size: it is new and has no default"),
        (lambda s: s["fields"].pop(1), "field weight: it is gone and had no default"),
        (lambda s: s["fields"][1].update(type="long"), "field weight: its type was"),
        (lambda s: s["fields"][1].update(type="string"), "field weight: its type was"),
        (lambda s: s["fields"][1].update(name="mass"), "field mass: it is new and has no default"),
        (lambda s: s["fields"][2].update(type=["null", "string", "long"]), "field note: its type was"),
        (lambda s: s["fields"][3].update(type="long"), "field sent_time: its logical type was timestamp-micros"),
        (lambda s: s.update(name="Packet"), "the record was called ordersaga.messages.Parcel"),
    ],
    ids=[
        "new field without default",
        "field without default goes",
        "wider number",
        "other type",
        "renamed field",
        "wider union",
        "time becomes number",
        "renamed record",
    ],
)
def test_a_change_that_breaks_one_side_is_refused_by_name(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    found = incompatibilities(json.dumps(BEFORE), json.dumps(after(change)))
    assert any(line.startswith(said) for line in found), found


def write(root: Path, schema: dict[str, Any], *, commit: bool = True) -> None:
    path = root / "schemas" / "parcels" / "Parcel.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema))
    if commit:
        commit_all(root)


def test_without_a_commit_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    write(repository, BEFORE, commit=False)
    assert list(problems(repository, repository / "schemas")) == []


def test_a_record_must_fit_every_version_in_the_history_not_only_the_last(tmp_path: Path) -> None:
    repository = new_repository(tmp_path)
    write(repository, after(lambda s: s["fields"].append(field("size", "int", default=0))))
    write(repository, BEFORE)
    write(repository, after(lambda s: s["fields"].append(field("size", "string", default=""))), commit=False)
    (line,) = problems(repository, repository / "schemas")
    assert line.startswith("parcels/Parcel.avsc: field size: its type was")
    assert "compared with commit" in line
