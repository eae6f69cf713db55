"""The kit's wheel, and what an installation of it brings along, without anything being fetched."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tools.paths import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "sagakit" / "pyproject.toml").read_text())["project"]


def built(folder: Path) -> Path:
    """Build the wheel from a copy, so that nothing is left beside the source."""
    shutil.copytree(ROOT / "sagakit", folder / "sagakit", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    subprocess.run([*command, str(folder / "sagakit")], check=True, capture_output=True, timeout=100)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def lay_beside(folder: Path, *wanted: str) -> Path:
    """Put into ``folder`` what the requirements ``wanted`` bring along, and nothing else."""
    for name in {name for one in wanted for name in _required(Requirement(one))}:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or [] if not file.parts[0].startswith(".")}:
            if top != "__pycache__" and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


def _required(requirement: Requirement) -> Iterator[str]:
    """Yield the distributions that ``requirement`` brings along, itself included, but for the kit."""
    if requirement.name != PROJECT["name"]:
        yield requirement.name
    for needed in _needs(requirement.name):
        if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in {"", *requirement.extras}):
            yield from _required(needed)


def _needs(name: str) -> Iterator[Requirement]:
    """Yield what a distribution asks for; what the kit asks for stands in its project file."""
    if name != PROJECT["name"]:
        yield from map(Requirement, distribution(name).requires or [])
        return
    for extra, wanted in PROJECT["optional-dependencies"].items():
        yield from (Requirement(f"{one}; extra == '{extra}'") for one in wanted)
