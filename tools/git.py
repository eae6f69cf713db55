"""Ask git about earlier versions of the contracts."""

import io
import subprocess
import tarfile
from pathlib import Path


def run(root: Path, *arguments: str) -> bytes:
    """Return what ``git`` prints; empty where it fails, as in a repository without a commit."""
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False).stdout


def is_shallow(root: Path) -> bool:
    """Say whether the history was cut off when this repository was cloned."""
    return run(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def versions(root: Path, path: Path) -> dict[bytes, str]:
    """Return every version of a file that was ever committed, with the newest commit that has it."""
    name = path.relative_to(root).as_posix()
    found: dict[bytes, str] = {}
    for commit in run(root, "log", "--format=%h", "--", name).decode().split():
        content = run(root, "show", f"{commit}:{name}")
        if content:
            found.setdefault(content, commit)
    return found


def last_other_version(root: Path, folder: str) -> str | None:
    """Return main's newest commit where ``folder`` is not as in the working tree; None where there is none."""
    branch = next(
        (b for b in ("main", "origin/main", "HEAD") if run(root, "rev-parse", "--verify", "--quiet", b)), "HEAD"
    )
    for commit in run(root, "log", "--format=%h", branch, "--", folder).decode().split():
        if run(root, "diff", "--name-only", commit, "--", folder) and run(root, "ls-tree", commit, folder):
            return commit
    return None


def export(root: Path, commit: str, folder: str, out: Path) -> None:
    """Write a folder as it was at a commit to ``out``."""
    for name in run(root, "ls-tree", "-r", "-z", "--name-only", commit, folder).decode().split("\0"):
        if name:
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(run(root, "show", f"{commit}:{name}"))


def checkout(root: Path, commit: str, out: Path) -> None:
    """Write the whole tree of a commit to ``out``.

    Raises:
        ValueError: the commit is not in this repository's history.
    """
    archive = run(root, "archive", commit)
    if not archive:
        shallow = "this clone is shallow, `git fetch --unshallow` gets the rest" if is_shallow(root) else "fetch it"
        raise ValueError(f"commit {commit} is not in the history of {root}: {shallow}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        # Python has the filter from 3.11.4 on; what is unpacked is our own.
        files.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        files.extractall(out)  # noqa: S202 - see above
