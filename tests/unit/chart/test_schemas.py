"""Whatever the values, what the chart makes fits the API of every Kubernetes that it may be installed on."""

import json

import pytest

from tests.unit.chart.odd_values import GIVEN, KEYS_OF_OTHERS, ODD
from tests.unit.chart.rendering import TOKENS, objects, template
from tools.chart import CUSTOM, misfits


@pytest.mark.parametrize("case", ODD)
def test_every_object_fits_the_api(case: str) -> None:
    options, values = ODD[case]
    rendered = [one for one in objects(*options, values=values).values() if one["kind"] not in CUSTOM]
    assert len(rendered) >= 20
    assert [problem for one in rendered for problem in misfits(one)] == []


def test_there_are_thirty_odd_combinations() -> None:
    assert len(ODD) >= 30


def test_what_is_rendered_twice_is_the_same_where_secrets_are_given() -> None:
    values = [f"--set-json={name}={json.dumps(value)}" for name, value in (TOKENS | KEYS_OF_OTHERS | GIVEN).items()]
    first, second = template(*values), template(*values)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
