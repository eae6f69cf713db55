"""Fetches the servers' Java archives, pinned by checksum, into the user's cache.

``python -m devstack.downloads`` writes ``downloads.lock`` anew from Maven's own resolution.
"""

import fcntl
import gc
import hashlib
import shutil
import tarfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import truststore
from jgo.maven import MavenContext, Model, PythonResolver

from devstack.errors import DevstackError
from devstack.layout import cache

LOCK = Path(__file__).with_name("downloads.lock")
_KAFKA = ("org.apache.kafka", "kafka_2.13", "4.4.0")
_TOOLS = "org.apache.kafka:kafka-tools:4.4.0:jar"
"""Kafka's command line, which only tests need."""
# Kafka logs through SLF4J 1 and brings no backend for it; this one is a single small archive.
_LOGGING = "org.slf4j:slf4j-simple:1.7.36:jar"
_LOOK_SECONDS = 0.2
_REGISTRY = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
_ZIPKIN = "io.zipkin:zipkin-server:3.6.1:jar:slim"
"""Zipkin with its pages and its storage in memory, but without what reads queues."""
_DATABASE = "io.zonky.test.postgres:embedded-postgres-binaries-{}:18.6.0:jar"
"""PostgreSQL built with TLS, for the machines that it is built for."""
_MACHINES = ("linux-amd64", "linux-arm64v8", "darwin-arm64v8")


class Download(NamedTuple):
    """One archive: where Maven has it, and what it must be."""

    sha256: str
    size: int
    """In bytes."""
    coordinate: str
    """``group:artifact:version:packaging`` and, where there is one, ``:classifier``."""


def locked() -> list[Download]:
    """Return what ``downloads.lock`` pins."""
    lines = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return [Download(sha256, int(size), coordinate) for sha256, size, coordinate in lines]


def kafka_classpath(progress: Callable[[str], None]) -> str:
    """Return Kafka's class path, fetching what is not in the cache.

    Raises:
        DevstackError: something cannot be fetched, or is not what the lock says.
    """
    with alone("kafka", progress):
        others = {_TOOLS, _REGISTRY, _ZIPKIN, *map(_DATABASE.format, _MACHINES)}
        return ":".join(map(str, _fetch([d for d in locked() if d.coordinate not in others], progress)))


def kafka_tools(progress: Callable[[str], None]) -> Path:
    """Return the archive of Kafka's command line, which goes with its class path; fetch what is not in the cache.

    Raises:
        DevstackError: it cannot be fetched, or is not what the lock says.
    """
    with alone("kafka-tools", progress):
        (archive,) = _fetch([download for download in locked() if download.coordinate == _TOOLS], progress)
        return archive


def registry_folder(progress: Callable[[str], None]) -> Path:
    """Return the folder of the unpacked schema registry, fetching it where it is not in the cache.

    Raises:
        DevstackError: it cannot be fetched, or is not what the lock says.
    """
    wanted = next(download for download in locked() if download.coordinate == _REGISTRY)
    folder = cache() / f"registry-{wanted.sha256[:12]}"
    with alone("registry", progress):
        if not (folder / "quarkus-run.jar").is_file():
            (archive,) = _fetch([wanted], progress)
            progress("unpacking")
            _unpack(archive, folder)
    return folder


def zipkin_archive(progress: Callable[[str], None]) -> Path:
    """Return the archive of Zipkin, fetching it where it is not in the cache.

    Raises:
        DevstackError: it cannot be fetched, or is not what the lock says.
    """
    with alone("zipkin", progress):
        (archive,) = _fetch([download for download in locked() if download.coordinate == _ZIPKIN], progress)
        return archive


def database_archive(machine: str, progress: Callable[[str], None]) -> tuple[Path, str]:
    """Return the archive of a PostgreSQL with TLS for ``machine``, and a name for what is in it.

    Raises:
        DevstackError: it cannot be fetched, or is not what the lock says.
    """
    wanted = next(download for download in locked() if download.coordinate == _DATABASE.format(machine))
    with alone("database", progress):
        (archive,) = _fetch([wanted], progress)
        return archive, wanted.sha256[:12]


@contextmanager
def alone(name: str, progress: Callable[[str], None]) -> Iterator[None]:
    """Let one stack of this user fetch ``name`` at a time; the others wait, and find it done.

    Raises:
        DevstackError: the cache cannot be written to.
    """
    with _explained():
        cache().mkdir(parents=True, exist_ok=True)
        lock = (cache() / f"{name}.lock").open("w")
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("waiting for another download")
                time.sleep(_LOOK_SECONDS)
        yield


def _unpack(archive: Path, folder: Path) -> None:
    unpacking = folder.with_suffix(".unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    with _explained(), tarfile.open(archive) as tar:
        # The checksum vouches for the archive; the filter, where this Python has it (3.11.4), for its paths as well.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(unpacking)  # noqa: S202 - see above
    runner = next(unpacking.rglob("quarkus-run.jar"))
    runner.parent.rename(folder)
    shutil.rmtree(unpacking, ignore_errors=True)
    archive.unlink()  # 150 MB that nobody needs again


def _fetch(downloads: list[Download], progress: Callable[[str], None]) -> list[Path]:
    done, total = 0, sum(download.size for download in downloads)

    def received(count: int) -> None:
        nonlocal done
        done += count
        progress(f"downloading, {done / 1e6:.0f} of {total / 1e6:.0f} MB")

    with _explained(), ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda download: _verified(download, received), downloads))
    if done:
        _forget_connections()
        progress(f"downloaded, {total / 1e6:.0f} MB")
    return paths


def _forget_connections() -> None:
    """Have the connections closed that the resolver leaves to the garbage collector, as it does where one has failed.

    Where warnings are errors, as in the tests, the collector would otherwise blame whoever runs when it comes to them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _verified(download: Download, received: Callable[[int], None]) -> Path:
    path = _resolve(download.coordinate, received)
    if _sha256(path) != download.sha256:  # half a download of an earlier try, or a broken disk
        path.unlink()
        path = _resolve(download.coordinate, received)
    if _sha256(path) != download.sha256:
        path.unlink()
        text = f"{download.coordinate} is not the archive that {LOCK.name} pins; nothing of it was used"
        raise DevstackError(text)
    return path


def _resolve(coordinate: str, received: Callable[[int], None]) -> Path:
    group, artifact, version, packaging, *classifier = coordinate.split(":")

    @contextmanager
    def watch(_: str, __: int) -> Iterator[Callable[[int], None]]:
        yield received

    truststore.inject_into_ssl()  # trust what the system trusts, as pip does
    context = MavenContext(
        resolver=PythonResolver(progress_callback=watch), repo_cache=cache() / "maven", local_repos=[], timeout=60
    )
    found = (
        context.project(group, artifact).at_version(version).artifact(classifier[0] if classifier else "", packaging)
    )
    return Path(str(found.resolve()))


@contextmanager
def _explained() -> Iterator[None]:
    """Tell in one line what keeps a download from being fetched or stored."""
    try:
        yield
    except DevstackError:
        raise
    except OSError as error:  # the HTTP library's errors are OSErrors too, but without the system's number
        if error.errno is not None:
            raise DevstackError(f"cannot store downloads in {cache()}: {error.strerror}") from error
        text = "cannot download the servers: is there a network? (needed once; later starts use the cache)"
        raise DevstackError(f"{text} [{type(error).__name__}]") from error
    except RuntimeError as error:
        raise DevstackError(f"cannot download the servers: {' '.join(str(error).split())[:200]}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lock() -> None:
    """Resolve everything anew and pin it."""
    context = MavenContext(repo_cache=cache() / "maven", local_repos=[])
    group, artifact, version = _KAFKA
    model = Model(context.project(group, artifact).at_version(version).pom(), context)
    resolved, _ = model.dependencies()
    coordinates = [f"{group}:{artifact}:{version}:jar", _TOOLS, _LOGGING, _REGISTRY, _ZIPKIN]
    coordinates += map(_DATABASE.format, _MACHINES)
    coordinates += [f"{d.groupId}:{d.artifactId}:{d.version}:{d.type}" for d in resolved]
    lines = ["# What devstack downloads: sha256, bytes, Maven coordinate. Written by `python -m devstack.downloads`."]
    for coordinate in sorted(coordinates):
        path = _resolve(coordinate, lambda _: None)
        lines.append(f"{_sha256(path)} {path.stat().st_size} {coordinate}")
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    _lock()
