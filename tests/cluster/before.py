"""The release before, installed by its own chart, and what an upgrade of it that is refused must leave."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.release import NAME, Release, tag
from tests.upgrade.version import checkout
from tools.chart_readme import CHART


def _values(chart: Path, options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the options for CI of a version, and ``options``."""
    return ("--values", str(chart / "values" / "ci.yaml"), *options)


@contextmanager
def installed(folder: Path, *options: str) -> Iterator[Release]:
    """Take the release before to ``folder``, and have it in a namespace of its own meanwhile."""
    checkout(folder)
    chart = folder / "helm" / "order-saga"
    release = Release(f"order-saga-{uuid.uuid4().hex[:6]}", _values(chart, options), chart)
    try:
        release.create()
        release.install("--set", f"image.tag={tag()}-before")
        yield release
    finally:
        release.remove()


def by_this_version(released: Release, *options: str) -> Release:
    """Return the same installation by this version's chart."""
    return Release(released.namespace, _values(CHART, options))


def fingerprint(release: Release) -> object:
    """Return what an upgrade that is refused must leave."""
    objects = release.get("deployments,statefulsets,persistentvolumeclaims,services,configmaps,secrets")
    found = [one["metadata"] for one in objects]
    return release.helm("history", NAME), sorted((one["uid"], one.get("generation")) for one in found)
