"""Which images are built, by a builder that only says what it is asked for."""

import subprocess
from pathlib import Path

from sagakit.service.manifest import found
from tools.paths import ROOT


def test_each_service_has_an_image_which_is_told_the_service_s_folder(tmp_path: Path) -> None:
    builder = tmp_path / "builder"
    builder.write_text('#!/bin/sh\necho "$@"\n')
    builder.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "IMAGE_BUILDER": str(builder), "TAG": "1.2.3"}
    done = subprocess.run(["tools/images.sh"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()) == {
        f"order-saga/{name.replace('_', '-')}:1.2.3 . --build-arg SERVICE={name}" for name in found(ROOT)
    }
