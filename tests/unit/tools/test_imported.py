"""What is fetched for the linters and generators lies beside the servers' archives, and nowhere else."""

import zipfile
from pathlib import Path

import pytest

from devstack.layout import cache as of_devstack
from tools import imported
from tools.paths import cache


@pytest.mark.parametrize("variable", ["", "/srv/a b", "not/absolute"])
def test_the_tools_and_devstack_have_one_cache(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert cache() == of_devstack()


def test_the_annotations_jar_is_kept_in_the_cache_and_not_in_maven_s_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = f"protovalidate-{imported.VERSION}"
    folder = tmp_path / "order-saga" / "maven" / "build" / "buf" / "protovalidate" / imported.VERSION
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"{name}.jar", "w") as jar:
        jar.writestr("buf/validate/validate.proto", "fetched before")
    assert imported.download() == b"fetched before"
