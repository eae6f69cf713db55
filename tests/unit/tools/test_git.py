"""What earlier versions of the contracts are compared with."""

from pathlib import Path

import pytest

from tests.unit.tools.repository import commit_all, new_repository
from tools import git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return new_repository(tmp_path)


def save(root: Path, text: str, *, commit: bool = True, name: str = "proto/a/it.proto") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    if commit:
        commit_all(root)


def exported(root: Path, out: Path) -> str | None:
    commit = git.last_other_version(root, "proto")
    if commit is None:
        return None
    git.export(root, commit, "proto", out)
    assert [path.name for path in out.iterdir()] == ["proto"]
    return (out / "proto" / "a" / "it.proto").read_text()


def test_without_any_commit_there_is_no_other_version(root: Path, tmp_path: Path) -> None:
    save(root, "one", commit=False)
    assert exported(root, tmp_path / "out") is None


def test_the_first_version_has_no_other(root: Path, tmp_path: Path) -> None:
    save(root, "one")
    assert exported(root, tmp_path / "out") is None


def test_what_is_not_committed_is_compared_with_the_last_commit(root: Path, tmp_path: Path) -> None:
    save(root, "one")
    save(root, "two")
    save(root, "three", commit=False)
    assert exported(root, tmp_path / "out") == "two"


def test_what_is_committed_is_compared_with_the_version_before(root: Path, tmp_path: Path) -> None:
    save(root, "one")
    save(root, "two")
    save(root, "…", name="README.md")
    assert exported(root, tmp_path / "out") == "one"


def test_every_version_of_a_file_is_found_once(root: Path) -> None:
    for text in ("one", "two", "one", "three"):
        save(root, text)
    assert sorted(git.versions(root, root / "proto" / "a" / "it.proto")) == [b"one", b"three", b"two"]


def test_a_file_without_history_has_no_versions(root: Path) -> None:
    save(root, "one", commit=False)
    assert git.versions(root, root / "proto" / "a" / "it.proto") == {}


def test_a_whole_history_is_not_shallow(root: Path) -> None:
    save(root, "one")
    assert not git.is_shallow(root)


def test_a_whole_tree_is_taken_out_of_the_history(root: Path, tmp_path: Path) -> None:
    save(root, "one")
    save(root, "two", name="b.txt")
    first = git.run(root, "rev-parse", "HEAD~").decode().strip()
    git.checkout(root, first, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["it.proto"]


def test_a_history_that_was_cut_off_is_named_with_the_way_to_get_the_rest(root: Path, tmp_path: Path) -> None:
    save(root, "one")
    save(root, "two")
    first = git.run(root, "rev-parse", "HEAD~").decode().strip()
    shallow = tmp_path / "shallow"
    git.run(root, "clone", "--quiet", "--depth", "1", root.as_uri(), str(shallow))
    with pytest.raises(ValueError, match=f"commit {first} is not in the history.*git fetch --unshallow"):
        git.checkout(shallow, first, tmp_path / "out")
