"""The chart on a cluster that holds something: there is none here, so it is told in a value what it would find."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.unit.chart.rendering import Objects
from tools.chart_readme import CHART

_LOOKUP = re.compile(r'lookup "v1" "Secret" (\S*)Release\.Namespace (\(include [^()]*\)|\$name)')
"""How the chart asks a cluster for a secret."""
_ASKED = 3
Attempt = Callable[..., "subprocess.CompletedProcess[str]"]
Render = Callable[..., Objects]


def on_a_cluster(folder: Path) -> Attempt:
    """Return what renders a copy of the chart, in ``folder``, on a cluster that holds the objects it is given."""
    shutil.copytree(CHART, folder / "order-saga")
    (folder / "order-saga" / "values.schema.json").unlink()
    asked = 0
    for file in (folder / "order-saga" / "templates").iterdir():
        if file.is_file():
            text, count = _LOOKUP.subn(r"dig \2 (dict) \1Values.found", file.read_text())
            file.write_text(text)
            asked += count
    assert asked == _ASKED

    def attempt(found: Objects, *options: str) -> "subprocess.CompletedProcess[str]":
        secrets = {name: one for (kind, name), one in found.items() if kind == "Secret"}
        (folder / "found.yaml").write_text(yaml.safe_dump({"found": secrets}))
        values = ("--values", str(folder / "found.yaml"))
        command = ["helm", "template", "demo", str(folder / "order-saga"), *values, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return attempt
