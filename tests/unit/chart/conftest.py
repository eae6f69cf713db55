"""The chart on a cluster that holds something."""

import pytest
import yaml

from tests.unit.chart.finding import Attempt, Render, on_a_cluster
from tests.unit.chart.rendering import Objects


@pytest.fixture(scope="module")
def attempt(tmp_path_factory: pytest.TempPathFactory) -> Attempt:
    """The chart on a cluster that holds what another rendering has made; the result may be a refusal."""
    return on_a_cluster(tmp_path_factory.mktemp("chart"))


@pytest.fixture(scope="module")
def render(attempt: Attempt) -> Render:
    """The objects that it makes there."""

    def rendered(found: Objects, *options: str) -> Objects:
        done = attempt(found, *options)
        assert done.returncode == 0, done.stderr
        return {
            (one["kind"], one["metadata"]["name"]): one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one
        }

    return rendered
