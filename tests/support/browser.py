"""Debian's Chromium, without a window."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

_INSTALL_SECONDS = 600


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser. It has an event loop in this thread while it runs."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses to run as root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_program(), args=options)
        yield running
        running.close()


def _program() -> str:
    """Return the browser's program; root has it installed where it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "chromium"]):
            subprocess.run(command, env=environment, check=True, timeout=_INSTALL_SECONDS, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail("These tests need Chromium: apt-get install chromium")
    return found
