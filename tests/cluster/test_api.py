"""A real API server takes what the chart makes of odd values: it refuses more than a schema says."""

import json

import pytest

from tests.cluster.release import Release
from tests.unit.chart.odd_values import ODD
from tests.unit.chart.rendering import objects
from tools.chart import CUSTOM

pytestmark = pytest.mark.timeout(900)
DRY = ("--dry-run=server", "--validate=strict", "--filename", "-")


def test_it_takes_whatever_the_chart_makes(namespace: Release) -> None:
    """Nothing is made. Pods by themselves are left out: what they name, such as classes, would have to be there."""
    for case, (options, values) in ODD.items():
        made = [one for one in objects(*options, values=values).values() if one["kind"] not in {*CUSTOM, "Pod"}]
        for one in made:
            one["metadata"]["namespace"] = namespace.namespace
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
        said = namespace.kubectl("apply", *DRY, stdin=items, check=False)
        assert said.count("(server dry run)") == len(made), f"{case}: {said}"
