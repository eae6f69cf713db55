"""A version may have a "+", as a build's has: labels and images' tags take none."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import template
from tools.chart_readme import CHART

LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""What Kubernetes takes for a label's value."""
TAG = re.compile(r"\w[\w.-]{0,127}")
"""What a registry takes for a tag."""


def rendered(folder: Path, version: str) -> list[dict[str, Any]]:
    """Return the objects of the chart in this version."""
    chart = folder / "order-saga"
    shutil.copytree(CHART, chart)
    text = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(re.sub(r"ersion: 0\.1\.0", f"ersion: {version}", text))
    done = subprocess.run(["helm", "template", "demo", str(chart)], capture_output=True, text=True, check=True)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.mark.parametrize("version", ["1.2.3+build.5", "1.2.3-rc.1+a" + "b" * 80, "1.2.3-" + "x" * 45 + ".5"])
def test_labels_and_tags_of_a_version_are_taken(tmp_path: Path, version: str) -> None:
    found = rendered(tmp_path, version)
    labels = {value for one in found for value in one["metadata"]["labels"].values()}
    assert {one for one in labels if one.startswith("1.2.3")}
    assert [one for one in labels if not LABEL.fullmatch(one)] == []
    images = re.findall(r"'image': '(localhost/order-saga/[^']+)'", str(found))
    assert images
    assert [one for one in images if not TAG.fullmatch(one.partition(":")[2])] == []


def test_a_tag_that_no_registry_takes_is_refused_by_its_name() -> None:
    done = template("--set=image.tag=1.2.3+build")
    assert done.returncode != 0
    assert "tag" in done.stderr
