"""The import rules' part of ``make lint``: import-linter's contracts in ``pyproject.toml``, for the services there are.

import-linter takes no pattern for a package's name. So in its lists ``*_svc`` stands for every service,
``*_svc.<rules>`` for the module in each that holds its rules, and ``<rules>`` for the names of these modules. Each
contract is reported with its id, by which a reader finds it in ``pyproject.toml``.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sagakit.service.manifest import Manifest, found
from tools.paths import ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
"""Its program `lint-imports`, which is not on PATH where the virtual environment is not."""

_MESSAGES_FIRST = "a message is made before the service that reads it: docs/how-to/add-a-step.md, section 1"


def main() -> int:
    """Have import-linter check the contracts, and return its exit status."""
    try:
        services = found(ROOT)
    except (ValueError, ImportError, AttributeError) as error:
        hint = f"; {_MESSAGES_FIRST}" if isinstance(error, ImportError) else ""
        print(f"import rules: a manifest cannot be read: {error}{hint}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyproject.toml"
        config.write_text(expanded((ROOT / "pyproject.toml").read_text(), services))
        linted = subprocess.run([sys.executable, "-c", LINT, "--no-logo", config], cwd=ROOT, check=False)
    if linted.returncode:
        print("import rules: the contracts stand in pyproject.toml, each with its id", file=sys.stderr)
    return linted.returncode


def expanded(text: str, services: Mapping[str, Manifest]) -> str:
    """Return ``text`` with ``services`` in the place of what stands for them."""
    rules = [f"({rules})" for rules in dict.fromkeys(one.rules for one in services.values())]
    for pattern, names in (
        ('"*_svc"', [f'"{name}"' for name in services]),
        ('"*_svc.<rules>"', [f'"{name}.{one.rules}"' for name, one in services.items()]),
        ('"*_svc.manifest"', [f'"{name}.manifest"' for name in services]),
    ):
        text = text.replace(pattern, ", ".join(names))
    text = re.sub(r'^id = "(\w+)"\nname = "(.+)"$', r'id = "\1"\nname = "\2 (contract `\1`)"', text, flags=re.MULTILINE)
    return text.replace('"<rules>"', f'"{" | ".join(rules)}"')


if __name__ == "__main__":
    sys.exit(main())
