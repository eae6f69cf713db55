"""What Go builds once for each user and is kept in the cache: Prometheus, its promtool, and OpenTelemetry's collector.

Go fetches modules by their versions, and verifies what it fetches by the checksums that Go's public database has of it.
It leaves more than a gigabyte of them, and as much of what it has compiled: they are kept apart from the user's, and go
once the programs are built.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from devstack.downloads import alone
from devstack.errors import DevstackError
from devstack.layout import cache

VERSION = "v0.316.0"
"""Of the module; Prometheus calls it 3.16.0."""
MODULE = "github.com/prometheus/prometheus"
_TAGS = "remove_all_sd"
"""Without what finds targets in clouds: less to fetch and to build, and our targets are named."""
COLLECTOR_VERSION = "v0.148.0"
"""Of the collector's parts, the newest that has an exporter for Zipkin; those that are stable are v1.54.0."""
BUILDER = "go.opentelemetry.io/collector/cmd/builder"
"""OpenTelemetry's program that builds a collector of chosen parts."""
_COLLECTOR = {
    "receivers": [{"gomod": f"go.opentelemetry.io/collector/receiver/otlpreceiver {COLLECTOR_VERSION}"}],
    "exporters": [
        {
            "gomod": "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/zipkinexporter "
            f"{COLLECTOR_VERSION}"
        }
    ],
    "providers": [{"gomod": "go.opentelemetry.io/collector/confmap/provider/fileprovider v1.54.0"}],
    "conf_resolver": {"default_uri_scheme": "file"},
}
_BUILD_SECONDS = 2400
_TELL_SECONDS = 15.0
"""How often it is told that a build goes on."""


def built(program: str, progress: Callable[[str], None]) -> Path:
    """Return ``prometheus`` or ``promtool``, built where it is not in the cache.

    Raises:
        DevstackError: there is no Go, or it cannot build it.
    """
    programs = ["prometheus", "promtool"]  # each needs most of what the other needs, so the second costs seconds
    arguments = ["install", "-tags", _TAGS, *(f"{MODULE}/cmd/{name}@{VERSION}" for name in programs)]
    return _kept(f"prometheus-{VERSION}", programs, lambda _: arguments, progress) / program


def built_collector(progress: Callable[[str], None]) -> Path:
    """Return a collector that takes spans by OTLP and hands them to Zipkin, built where it is not in the cache.

    Raises:
        DevstackError: there is no Go, or it cannot build it.
    """

    def arguments(folder: Path) -> list[str]:
        parts = folder / "parts.yaml"
        parts.write_text(yaml.safe_dump({"dist": {"name": "collector", "output_path": str(folder)}, **_COLLECTOR}))
        return ["run", f"{BUILDER}@{COLLECTOR_VERSION}", "--config", str(parts)]

    return _kept(f"collector-{COLLECTOR_VERSION}", ["collector"], arguments, progress) / "collector"


def _kept(
    name: str, programs: Sequence[str], arguments: Callable[[Path], Sequence[str]], progress: Callable[[str], None]
) -> Path:
    """Return the folder ``name`` of the cache with all ``programs``; if one is missing, Go builds them first.

    ``arguments`` are Go's, for the folder to use.
    """
    place = cache() / name
    subject = name.partition("-")[0]
    with alone(subject, progress):
        if not all((place / program).is_file() for program in programs):
            progress("building, which takes minutes and is done once")
            # A build that failed or was ended leaves this folder, and the next build goes on from there.
            leftovers = cache() / f"go-{subject}"
            _build(place, programs, arguments, leftovers, progress)
            shutil.rmtree(leftovers, ignore_errors=True)
    return place


def _build(
    place: Path,
    programs: Sequence[str],
    arguments: Callable[[Path], Sequence[str]],
    leftovers: Path,
    progress: Callable[[str], None],
) -> None:
    what = " and ".join(programs)
    if shutil.which("go") is None:
        verb = "is" if len(programs) == 1 else "are"
        text = f"{what} {verb} built by Go, which is not on the PATH; install Go 1.21 or later"
        raise DevstackError(text)
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:  # what is half built is not taken for the program
        rest = Path(folder) / "rest"  # OpenTelemetry's builder leaves a folder where programs put what is temporary
        rest.mkdir()
        caches = {"GOMODCACHE": str(leftovers / "modules"), "GOCACHE": str(leftovers / "compiled")}
        # Whoever names folders for Go's caches himself wants those to be used, and kept.
        environment = {**caches, **os.environ, "GOBIN": folder, "GOFLAGS": "-modcacherw", "TMPDIR": str(rest)}
        _run(["go", *arguments(Path(folder))], environment, what, progress)
        for program in programs:
            (Path(folder) / program).rename(place / program)


def _run(command: Sequence[str], environment: Mapping[str, str], what: str, progress: Callable[[str], None]) -> None:
    """Run Go, and tell now and then that it goes on: it says nothing itself."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as building:
        try:
            said = _said(building, what, progress)
        except BaseException:  # also that of a teller who was told that the start is given up
            building.kill()
            raise
    if building.returncode:
        words = " ".join(said.split())[-300:]
        raise DevstackError(f"Go cannot build {what}; is there a network? It said: {words}")


def _said(building: subprocess.Popen[str], what: str, progress: Callable[[str], None]) -> str:
    """Return what Go has said at its end."""
    began = time.monotonic()
    while True:
        try:
            return building.communicate(timeout=_TELL_SECONDS)[1]
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - began
        if seconds > _BUILD_SECONDS:
            raise DevstackError(f"{what}: not built after {_BUILD_SECONDS / 60:.0f} minutes")
        progress(f"building for {seconds:.0f} s")
