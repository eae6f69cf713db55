"""``schemas/access.yaml``: which topics each service reads and writes, from the manifests, for the deployment.

``python -m tools.access``, which `make gen` calls, writes it; `make lint` says where it is not current.
"""

from pathlib import Path

from sagakit.service.access import FILE, Access, write_access
from sagakit.service.manifest import found
from tools.paths import ROOT, SCHEMAS


def current(root: Path = ROOT) -> str:
    """Return what the file should hold, by the manifests in ``root``."""
    return write_access(Access.of(manifest) for manifest in found(root).values())


def main() -> None:
    """Write the file."""
    (SCHEMAS / FILE).write_text(current())


if __name__ == "__main__":
    main()
