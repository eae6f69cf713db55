"""The contracts' part of ``make lint``: buf, the Avro rules, and whether ``gen/`` is what the contracts say."""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools import avro_compatibility, avro_lint, git, imported
from tools.generate import PACKAGES, generate
from tools.paths import GEN, IMPORTED, ROOT, SCHEMAS


def main() -> int:
    """Run every check, print what each has to say, and return the process's exit status."""
    if git.is_shallow(ROOT):
        print("contracts: this is a shallow clone; earlier versions are compared as far as it goes")
    try:
        imported.ensure()
        found = [*proto_problems(), *(f"schemas/{line}" for line in avro_problems()), *stale_files()]
    except (imported.ImportedError, subprocess.CalledProcessError, ValueError) as error:
        found = [str(error)]
    for line in found:
        print(line, file=sys.stderr)
    print(f"contracts: {len(found)} problem(s)" if found else "contracts: all fit")
    return 1 if found else 0


def proto_problems() -> Iterator[str]:
    """Yield what buf finds: in the style, the format, and against the version before."""
    yield from _buf("lint")
    if _buf("format", "--diff", "--exit-code", "proto"):
        yield "proto/: not in buf's format; run `make format`"
    commit = git.last_other_version(ROOT, "proto")
    if commit is None:
        print("contracts: proto/ has no earlier version to break")
        return
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder)
        git.export(ROOT, commit, "proto", before)
        shutil.copy(ROOT / "buf.yaml", before)
        shutil.copytree(IMPORTED, before / IMPORTED.relative_to(ROOT))
        for line in _buf("breaking", "proto", "--against", str(before / "proto")):
            yield f"{line} (compared with commit {commit})"


def avro_problems() -> Iterator[str]:
    """Yield what is wrong with the Avro records, as they stand or against any version before."""
    as_they_stand = list(avro_lint.problems(SCHEMAS))
    yield from as_they_stand or avro_compatibility.problems(ROOT, SCHEMAS)


def stale_files() -> Iterator[str]:
    """Yield the files of ``gen/`` that are not what the contracts would generate now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        names = {path.relative_to(base) for base in (fresh, GEN) for path in _generated(base)}
        for name in sorted(names):
            if not (GEN / name).exists():
                yield f"gen/{name}: missing; run `make gen`"
            elif not (fresh / name).exists():
                yield f"gen/{name}: not generated any more; run `make gen`"
            elif not filecmp.cmp(fresh / name, GEN / name, shallow=False):
                yield f"gen/{name}: differs from what the contracts say; run `make gen`"


def _generated(base: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in (base / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _buf(*arguments: str) -> list[str]:
    done = subprocess.run(["buf", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return lines or [f"buf {arguments[0]} ended with status {done.returncode}"] if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
