"""A file is small enough to be read in one go."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400
ROOMS = [
    "sagakit",
    "*_svc",
    "devstack",
    "ordersaga_cli",
    "cluster_secrets",
    "tools",
    "tests",
    "bench",
    "proto",
    "schemas",
]
KINDS = {".py", ".sh", ".proto", ".avsc", ".yaml"}


def test_no_file_is_longer_than_400_lines() -> None:
    files = [file for room in ROOMS for folder in ROOT.glob(room) for file in folder.rglob("*") if file.suffix in KINDS]
    sizes = {file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines()) for file in files}
    assert sizes
    assert {name: lines for name, lines in sizes.items() if lines > LONGEST} == {}
