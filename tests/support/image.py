"""What an image holds, made without an engine: the packages of its lock, and the files that the Dockerfile copies."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT

_STAGE = re.compile(r"^FROM (\S+)(?: AS (\S+))?$")
_COPIED = re.compile(r"^COPY (?!--)(\S+) (\S+)$")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyi", "testing")


class Image:
    """The Python of one image, in a folder."""

    def __init__(self, folder: Path, stage: str, service: str = "") -> None:
        """Make what the Dockerfile's ``stage`` holds, with the package of a ``service`` where it takes one."""
        self.app = folder / "app"
        copied = [one.replace("$SERVICE", service) for one in copies(stage)]
        for name in copied:
            shutil.copytree(ROOT / name, self.app / name, ignore=_LEFT_OUT)
        self._python = _installed(folder / "venv", "console" if stage == "console" else "services")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the image's Python, as its container would, with nothing else to import from."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        environment = {**clean, "PYTHONPATH": f"{self.app}:{self.app / 'gen'}", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [str(self._python), *arguments],
            cwd=self.app, env=environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip


def stages() -> dict[str, tuple[str, list[str]]]:
    """Return each stage of the Dockerfile by its name (the last has none): what it is made from, and its lines."""
    found: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if begins := _STAGE.match(line):
            lines = []
            found[begins[2] or ""] = (begins[1], lines)
        lines.append(line)
    return found


def copies(stage: str) -> list[str]:
    """Return the folders of the repository that ``stage`` holds."""
    made_from, lines = stages()[stage]
    before = copies(made_from) if made_from in stages() else []
    return before + [copied[1] for line in lines if (copied := _COPIED.match(line))]


def _installed(folder: Path, lock: str) -> Path:
    """Install what is locked for an image, make it as small as the image has it, and return its Python."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True, timeout=100)
    python = folder / "bin" / "python"
    command = [*uv, "pip", "install", "--quiet", "--system-certs", *index(), "--link-mode", "copy"]
    hashes = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    locked = ["--python", str(python), "--requirement", str(ROOT / f"requirements-{lock}.txt")]
    subprocess.run([*command, *hashes, *locked], check=True, timeout=300)
    subprocess.run([ROOT / "tools" / "slim.sh", folder], check=True, timeout=300)
    return python


def index() -> list[str]:
    """Return the options by which uv asks the index that pip is told to ask, as `tools/venv.sh` does."""
    pip = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = os.environ.get("PIP_INDEX_URL") or subprocess.run(pip, capture_output=True, text=True, check=False).stdout
    return ["--default-index", told.strip()] if told.strip() else []
