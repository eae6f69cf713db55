"""`make sbom` lists each package of the lock, by the name, the version and the hashes that a scanner looks up."""

import json
import re
import subprocess

from tools.paths import ROOT

LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)


def test_every_locked_package_is_listed_with_its_version_and_hashes() -> None:
    subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, check=True, timeout=100)
    listed = json.loads((ROOT / "dist" / "order-saga.cdx.json").read_text())
    assert (listed["bomFormat"], listed["metadata"]["component"]["name"]) == ("CycloneDX", "order-saga")
    locked = {f"pkg:pypi/{name}@{version}" for name, version in LOCKED.findall((ROOT / "requirements.txt").read_text())}
    assert len(locked) > 40
    assert {one["purl"].partition("?")[0] for one in listed["components"]} == locked
    for one in listed["components"]:
        assert any(reference.get("hashes") for reference in one["externalReferences"]), one["name"]
