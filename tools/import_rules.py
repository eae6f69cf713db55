"""The import rules' part of ``make lint``: import-linter's contracts in ``pyproject.toml``, for the services there are.

import-linter takes no pattern for a package's name. So in its lists ``*_svc`` stands for every service,
``*_svc.<rules>`` for the module in each that holds its rules, and ``<rules>`` for the names of these modules.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sagakit.service.manifest import Manifest, found
from tools.paths import ROOT


def main() -> int:
    """Have import-linter check the contracts, and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyproject.toml"
        config.write_text(expanded((ROOT / "pyproject.toml").read_text(), found(ROOT)))
        return subprocess.run(["lint-imports", "--no-logo", config], cwd=ROOT, check=False).returncode


def expanded(text: str, services: Mapping[str, Manifest]) -> str:
    """Return ``text`` with ``services`` in the place of what stands for them."""
    rules = [f"({rules})" for rules in dict.fromkeys(one.rules for one in services.values())]
    for pattern, names in (
        ('"*_svc"', [f'"{name}"' for name in services]),
        ('"*_svc.<rules>"', [f'"{name}.{one.rules}"' for name, one in services.items()]),
        ('"*_svc.manifest"', [f'"{name}.manifest"' for name in services]),
    ):
        text = text.replace(pattern, ", ".join(names))
    return text.replace('"<rules>"', f'"{" | ".join(rules)}"')


if __name__ == "__main__":
    sys.exit(main())
