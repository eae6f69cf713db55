"""What Go builds once for each user and is kept in the cache: Prometheus, its promtool, and OpenTelemetry's collector.

Go fetches modules by their versions, and verifies what it fetches by the checksums that Go's public database has of it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
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


def built(program: str, progress: Callable[[str], None]) -> Path:
    """Return ``prometheus`` or ``promtool``, built where it is not in the cache.

    Raises:
        DevstackError: there is no Go, or it cannot build it.
    """
    arguments = ["install", "-tags", _TAGS, f"{MODULE}/cmd/{program}@{VERSION}"]
    return _kept(f"prometheus-{VERSION}", program, lambda _: arguments, progress)


def built_collector(progress: Callable[[str], None]) -> Path:
    """Return a collector that takes spans by OTLP and hands them to Zipkin, built where it is not in the cache.

    Raises:
        DevstackError: there is no Go, or it cannot build it.
    """

    def arguments(folder: Path) -> list[str]:
        parts = folder / "parts.yaml"
        parts.write_text(yaml.safe_dump({"dist": {"name": "collector", "output_path": str(folder)}, **_COLLECTOR}))
        return ["run", f"{BUILDER}@{COLLECTOR_VERSION}", "--config", str(parts)]

    return _kept(f"collector-{COLLECTOR_VERSION}", "collector", arguments, progress)


def _kept(
    folder: str, program: str, arguments: Callable[[Path], Sequence[str]], progress: Callable[[str], None]
) -> Path:
    """Return ``program`` from a ``folder`` of the cache; Go builds it first, by ``arguments`` for the folder to use."""
    place = cache() / folder / program
    with alone(folder.partition("-")[0], progress):
        if not place.is_file():
            progress("building, which takes minutes and is done once")
            _build(place, arguments)
    return place


def _build(place: Path, arguments: Callable[[Path], Sequence[str]]) -> None:
    program = place.name
    if shutil.which("go") is None:
        text = f"{program} is built by Go, which is not on the PATH: install Go 1.21 or later"
        raise DevstackError(text)
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:  # what is half built is not taken for the program
        rest = Path(folder) / "rest"  # OpenTelemetry's builder leaves a folder where programs put what is temporary
        rest.mkdir()
        environment = {**os.environ, "GOBIN": folder, "GOFLAGS": "-modcacherw", "TMPDIR": str(rest)}
        command = ["go", *arguments(Path(folder))]
        try:
            subprocess.run(command, check=True, env=environment, timeout=_BUILD_SECONDS, capture_output=True, text=True)
        except subprocess.TimeoutExpired as error:
            raise DevstackError(f"{program} is not built after {_BUILD_SECONDS / 60:.0f} minutes") from error
        except subprocess.CalledProcessError as error:
            said = " ".join(str(error.stderr).split())[-300:]
            raise DevstackError(f"Go cannot build {program}; is there a network? It said: {said}") from error
        (Path(folder) / program).rename(place)
