"""A git repository to try things in."""

import subprocess
from pathlib import Path

IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]


def new_repository(root: Path) -> Path:
    _git(root, "init", "--quiet", "--initial-branch=main")
    return root


def commit_all(root: Path) -> None:
    _git(root, "add", "-A")
    _git(root, "commit", "--quiet", "-m", "as it is now")


def _git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *IDENTITY, *arguments], cwd=root, check=True, capture_output=True)
