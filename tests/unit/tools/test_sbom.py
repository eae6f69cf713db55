"""`make sbom` lists each package of a lock, by the name, the version and the hashes that a scanner looks up."""

import json
import re
import subprocess
from typing import Any

import pytest

from tools.paths import ROOT

LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    """Return the lists by what is run with what they list: everything, the services' images, the console's."""
    subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, check=True, timeout=100)
    return {
        kind: json.loads((ROOT / "dist" / f"order-saga{kind}.cdx.json").read_text())
        for kind in ("", "-services", "-console")
    }


@pytest.mark.parametrize("kind", ["", "-services", "-console"])
def test_every_locked_package_is_listed_with_its_version_and_hashes(listed: dict[str, Any], kind: str) -> None:
    found = listed[kind]
    assert (found["bomFormat"], found["metadata"]["component"]["name"]) == ("CycloneDX", "order-saga")
    locked = {
        f"pkg:pypi/{name}@{version}" for name, version in LOCKED.findall((ROOT / f"requirements{kind}.txt").read_text())
    }
    assert len(locked) > 35
    assert {one["purl"].partition("?")[0] for one in found["components"]} == locked
    for one in found["components"]:
        assert any(reference.get("hashes") for reference in one["externalReferences"]), one["name"]
