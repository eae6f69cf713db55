"""`make chart`: the chart as one file, and as an OCI artefact in a registry."""

import shutil
import subprocess
from pathlib import Path

import pytest

from devstack.ports import free_port
from tools.paths import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "helm", tmp_path / "helm")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "chart.sh", tmp_path / "tools")
    return tmp_path


def chart(copy: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["env", *(f"{name}={value}" for name, value in environment.items()), "tools/chart.sh", *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def test_the_package_renders_as_the_folder_does(copy: Path) -> None:
    file = chart(copy).stdout.strip()
    assert file == "dist/order-saga-0.1.0.tgz"

    def rendered(what: str) -> str:
        options = ["--show-only", "templates/network.yaml"]  # nothing in it is made anew at each rendering
        return subprocess.run(
            ["helm", "template", "demo", what, *options], cwd=copy, capture_output=True, text=True, check=True
        ).stdout

    assert rendered(file) == rendered("helm/order-saga")


def test_a_chart_that_is_not_pushed_is_a_failure_that_says_why(copy: Path) -> None:
    done = chart(copy, REGISTRY=f"127.0.0.1:{free_port()}/me")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("order-saga: the chart is not pushed: ")
    assert "connection refused" in done.stderr
