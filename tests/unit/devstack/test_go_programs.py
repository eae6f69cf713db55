"""What Go builds is built once; and what is said where it cannot be."""

import re
from pathlib import Path

import pytest
import yaml

from devstack.errors import DevstackError
from devstack.go_programs import BUILDER, COLLECTOR_VERSION, MODULE, VERSION, built, built_collector
from devstack.server import quiet


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, and a cache that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    return tmp_path


def go(folder: Path, does: str) -> None:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


def test_a_program_is_built_once_by_its_version_and_kept(tools: Path) -> None:
    go(tools, f'echo "$@" >>{tools}/asked; touch "$GOBIN/promtool"')
    assert built("promtool", quiet) == built("promtool", quiet)
    assert (tools / "asked").read_text() == f"install -tags remove_all_sd {MODULE}/cmd/promtool@{VERSION}\n"
    assert [path.name for path in built("promtool", quiet).parent.iterdir()] == ["promtool"]


def test_without_go_it_is_said_what_is_missing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(DevstackError, match="promtool is built by Go, which is not on the PATH"):
        built("promtool", quiet)


def test_what_go_said_is_said_and_the_next_try_builds_it(tools: Path) -> None:
    go(tools, "echo no such host >&2; exit 1")
    with pytest.raises(DevstackError, match=r"Go cannot build prometheus; is there a network.*no such host"):
        built("prometheus", quiet)
    go(tools, 'touch "$GOBIN/prometheus"')
    assert built("prometheus", quiet).is_file()


def test_the_collector_is_built_once_of_parts_whose_versions_are_named(tools: Path) -> None:
    go(tools, f'echo "$1 $2" >>{tools}/asked; cp "$4" {tools}/parts; touch "$(dirname "$4")/collector"')
    assert built_collector(quiet) == built_collector(quiet)
    assert (tools / "asked").read_text() == f"run {BUILDER}@{COLLECTOR_VERSION}\n"
    parts = yaml.safe_load((tools / "parts").read_text())
    modules = [part["gomod"] for kind in ("receivers", "exporters", "providers") for part in parts[kind]]
    assert [bool(re.fullmatch(r"\S+ v\d+\.\d+\.\d+", module)) for module in modules] == [True] * 3
    assert [path.name for path in built_collector(quiet).parent.iterdir()] == ["collector"]
