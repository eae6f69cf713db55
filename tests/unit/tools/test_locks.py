"""The lock files are what `make lock` makes of the requirements, and name no place to fetch from."""

import json
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.image import index
from tools.paths import ROOT

LOCKS = ("requirements", "requirements-stack", "requirements-dev")
IMAGES = ("requirements-services", "requirements-console")


def asked_for(name: str) -> list[Requirement]:
    lines = (re.sub(r"\s*#.*", "", line) for line in (ROOT / f"{name}.in").read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-r ")]


def pinned(name: str) -> dict[str, str]:
    return dict(re.findall(r"^(\S+)==(\S+)", (ROOT / f"{name}.txt").read_text(), re.MULTILINE))


def fits(asked: Requirement, pin: str | None) -> bool:
    return pin is not None and asked.specifier.contains(pin)


@pytest.mark.parametrize("name", [*LOCKS, *IMAGES])
def test_everything_that_is_asked_for_is_locked(name: str) -> None:
    pins = pinned(name)
    stale = [str(r) for r in asked_for(name) if not fits(r, pins.get(canonicalize_name(r.name)))]
    assert not stale, f"run `make lock`: {stale}"


def test_the_longer_locks_hold_the_shorter_ones() -> None:
    run, stack, dev = (pinned(name).items() for name in LOCKS)
    assert run < stack < dev, "run `make lock`"
    services, console = (pinned(name).items() for name in IMAGES)
    assert services < run > console, "run `make lock`"


@pytest.mark.parametrize("name", [*LOCKS, *IMAGES])
def test_a_lock_holds_checksums_and_no_address(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    for block in re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block


def wheels(name: str, platform: str) -> subprocess.CompletedProcess[str]:
    """Look for a wheel of each package of a lock, for the images' Python on ``platform``."""
    python = re.findall(r"^ARG BASE=\S+/python:(\d\.\d+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--system-certs", *index(), "--target", "/nowhere"]
    system = ["--python-platform", platform, "--python-version", *python]
    locked = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(ROOT / f"{name}.txt")]
    return subprocess.run([*uv, *system, *locked], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("platform", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", IMAGES)
def test_an_image_can_be_built_for_each_architecture(name: str, platform: str) -> None:
    done = wheels(name, f"{platform}-manylinux_2_28")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^ \+ ", done.stderr, re.MULTILINE)) > 35


def test_an_architecture_without_wheels_would_be_noticed() -> None:
    done = wheels("requirements-services", "riscv64-unknown-linux")
    assert done.returncode != 0
    assert "Wheels are required for `" in done.stderr


def test_the_node_clients_lock_holds_checksums_and_no_address() -> None:
    packages = json.loads((ROOT / "tests" / "clients" / "node" / "package-lock.json").read_text())["packages"]
    others = {name: package for name, package in packages.items() if name}
    assert others
    assert {name for name, package in others.items() if "integrity" not in package or "resolved" in package} == set()
