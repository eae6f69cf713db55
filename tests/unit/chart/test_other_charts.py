"""What people know from other charts can be given to this one, and is documented beside its name there."""

import json
import re
from fnmatch import fnmatch
from typing import Any

import pytest

from tests.unit.chart.other_charts import KEYS, Key
from tests.unit.chart.rendering import TOKENS, Objects, objects, template
from tools.paths import ROOT

PAGE = ROOT / "docs" / "chart-values.md"
ASKED_FOR = 47
"""How many keys of other charts the schema once refused."""


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """The chart with all of these values."""
    return objects(values={**TOKENS, **{key.ours: key.given for key in KEYS}})


def at(rendered: Objects, path: str) -> Any:
    """Return what stands at ``path``: an object's kind and name, whose end * may be, and the keys to follow."""
    kind, name, *keys = path.split("/")
    found: Any
    (found,) = (one for (k, n), one in rendered.items() if k == kind and fnmatch(n, name))
    for key in keys:
        found = found[int(key)] if isinstance(found, list) else found[key]
    return found


def shows(found: Any, wanted: Any) -> bool:
    """Say whether all that is wanted of a map or a list is in it, or whether it is the same."""
    if isinstance(wanted, dict):
        return bool(wanted.items() <= found.items())
    if isinstance(wanted, list):
        return all(one in found for one in wanted)
    return bool(found == wanted)


@pytest.mark.parametrize("key", KEYS, ids=[key.ours for key in KEYS])
def test_a_value_that_other_charts_have_appears_where_kubernetes_reads_it(rendered: Objects, key: Key) -> None:
    assert shows(at(rendered, key.at), key.shown)


@pytest.mark.parametrize("key", KEYS, ids=[key.ours for key in KEYS])
def test_a_misspelt_one_is_refused(key: Key) -> None:
    outer, _, inner = key.ours.rpartition(".")
    wrong = f"{outer}.{inner}x" if outer else f"{inner}x"
    refused = template(f"--set-json={wrong}={json.dumps(key.given)}")
    assert refused.returncode != 0
    assert f"Additional property {inner}x is not allowed" in refused.stderr


def test_as_many_are_shown_as_were_asked_for() -> None:
    assert len({key.ours for key in KEYS}) == len(KEYS) >= ASKED_FOR


def test_each_is_in_the_table_of_the_docs_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(key.ours for key in KEYS)
