"""What Go builds is built once; and what is said where it cannot be."""

import re
from pathlib import Path

import psutil
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


BUILDS = 'touch "$GOBIN/prometheus" "$GOBIN/promtool"'


def test_programs_are_built_once_by_their_version_and_kept(tools: Path) -> None:
    go(tools, f'echo "$@" >>{tools}/asked; {BUILDS}')
    assert built("promtool", quiet) == built("promtool", quiet)
    assert built("prometheus", quiet).is_file()
    both = f"{MODULE}/cmd/prometheus@{VERSION} {MODULE}/cmd/promtool@{VERSION}"
    assert (tools / "asked").read_text() == f"install -tags remove_all_sd {both}\n"
    assert {path.name for path in built("promtool", quiet).parent.iterdir()} == {"prometheus", "promtool"}


LEAVES = 'mkdir -p "$GOMODCACHE/module" "$GOCACHE"; touch "$GOMODCACHE/module/file" "$GOCACHE/file"'


def test_what_go_fetches_and_compiles_is_kept_until_the_programs_are_built(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GOMODCACHE", "GOCACHE"):
        monkeypatch.delenv(variable, raising=False)
    go(tools, f"{LEAVES}; exit 1")
    with pytest.raises(DevstackError):
        built("prometheus", quiet)
    left = tools / "cache" / "order-saga" / "go-prometheus"
    assert {path.name for path in left.rglob("*")} == {"modules", "module", "compiled", "file"}
    go(tools, f"{LEAVES}; {BUILDS}")
    built("prometheus", quiet)
    assert not left.exists()


def test_who_names_the_folders_of_go_s_caches_keeps_what_is_in_them(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMODCACHE", str(tools / "modules"))
    monkeypatch.setenv("GOCACHE", str(tools / "compiled"))
    go(tools, f"{LEAVES}; {BUILDS}")
    built("prometheus", quiet)
    assert (tools / "modules" / "module" / "file").is_file()
    assert (tools / "compiled" / "file").is_file()


def test_a_build_that_goes_on_says_so_now_and_then(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.go_programs._TELL_SECONDS", 0.1)
    go(tools, f"sleep 1; {BUILDS}")
    told: list[str] = []
    built("prometheus", told.append)
    assert told[0].startswith("building, which takes minutes")
    assert len(told) > 2
    assert all(re.fullmatch(r"building for \d+ s", words) for words in told[1:])


def test_a_build_ends_where_the_start_was_given_up(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.go_programs._TELL_SECONDS", 0.1)
    go(tools, f"echo $$ >{tools}/pid; exec sleep 60")

    def give_up(doing: str) -> None:
        if doing.startswith("building for") and (tools / "pid").exists():
            raise DevstackError("given up")

    with pytest.raises(DevstackError, match="given up"):
        built("prometheus", give_up)
    assert not psutil.pid_exists(int((tools / "pid").read_text()))


def test_without_go_it_is_said_what_is_missing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(DevstackError, match="prometheus and promtool are built by Go, which is not on the PATH"):
        built("promtool", quiet)


def test_what_go_said_is_said_and_the_next_try_builds_it(tools: Path) -> None:
    go(tools, "echo no such host >&2; exit 1")
    with pytest.raises(
        DevstackError, match=r"Go cannot build prometheus and promtool; is there a network.*no such host"
    ):
        built("prometheus", quiet)
    go(tools, BUILDS)
    assert built("prometheus", quiet).is_file()


def test_the_collector_is_built_once_of_parts_whose_versions_are_named(tools: Path) -> None:
    go(tools, f'echo "$1 $2" >>{tools}/asked; cp "$4" {tools}/parts; touch "$(dirname "$4")/collector"')
    assert built_collector(quiet) == built_collector(quiet)
    assert (tools / "asked").read_text() == f"run {BUILDER}@{COLLECTOR_VERSION}\n"
    parts = yaml.safe_load((tools / "parts").read_text())
    modules = [part["gomod"] for kind in ("receivers", "exporters", "providers") for part in parts[kind]]
    assert [bool(re.fullmatch(r"\S+ v\d+\.\d+\.\d+", module)) for module in modules] == [True] * 3
    assert [path.name for path in built_collector(quiet).parent.iterdir()] == ["collector"]
