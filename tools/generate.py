"""``make gen``: write ``gen/`` from ``proto/`` and ``schemas/``.

All is generated into an empty folder first and then put in the place of what was there, so that nothing stale survives.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import avro_classes, imported
from tools.paths import GEN, ROOT, SCHEMAS

PACKAGES = ("ordersaga", "buf")
"""What is generated in ``gen/``. The rest there is written by hand."""


def generate(out: Path) -> None:
    """Generate everything into the folder ``out``."""
    imported.ensure()
    subprocess.run(["buf", "generate", "--output", str(out)], cwd=ROOT, check=True)
    for types in out.rglob("*_pb2_grpc.pyi"):
        if not types.with_suffix(".py").exists():  # types of a file without a service
            types.unlink()
    avro_classes.write(SCHEMAS, out / "ordersaga" / "messages")
    for folder in [out / "ordersaga", *(path for path in (out / "ordersaga").rglob("*") if path.is_dir())]:
        package = ".".join(folder.relative_to(out).parts)
        if not (folder / "__init__.py").exists():
            (folder / "__init__.py").write_text(f'"""Package {package}. {avro_classes.GENERATED}"""\n')
    for typed in (out / "ordersaga", out / "buf" / "validate"):
        (typed / "py.typed").touch()


def main() -> int:
    """Replace what ``gen/`` holds."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            generate(Path(folder))
        except (imported.ImportedError, ValueError) as error:
            print(f"make gen: {error}", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError:
            return 1  # buf has said why
        for package in PACKAGES:
            shutil.rmtree(GEN / package, ignore_errors=True)
            shutil.copytree(Path(folder, package), GEN / package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
