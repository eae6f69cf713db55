"""Which images are built, and where they go, by builders and clusters that only say what they are asked for."""

import subprocess
from pathlib import Path

import pytest

from sagakit.service.manifest import found
from tools.paths import ROOT

NAMES = {name: f"order-saga/{name.replace('_', '-')}:1.2.3" for name in (*found(ROOT), "console_svc")}


def program(path: Path, *lines: str) -> str:
    """Make a program of shell lines; return where it is."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return str(path)


def images(**environment: str) -> list[str]:
    """Build images; return what the programs print that are used for it."""
    given = {"PATH": "/usr/bin:/bin", "TAG": "1.2.3", **environment}
    done = subprocess.run(["tools/images.sh"], cwd=ROOT, env=given, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_each_service_has_an_image_which_is_told_the_service_s_folder(tmp_path: Path) -> None:
    builder = program(tmp_path / "builder", 'echo "$@"')
    built = [said.partition(" --build-arg VERSION=") for said in images(IMAGE_BUILDER=builder)]
    assert {of for of, _, _ in built} == {f"{NAMES[name]} . --build-arg SERVICE={name}" for name in NAMES}
    assert {version.split("+")[0] for _, _, version in built} == {"1.2.3"}, "an image knows which version it is"


@pytest.mark.parametrize(
    ("context", "loading"),
    [
        ("minikube", "minikube image load"),
        ("kind-kind", "kind load image-archive --name kind"),
        ("kind-other", "kind load image-archive --name other"),
        ("staging", ""),
    ],
)
@pytest.mark.parametrize("asked", ["by its name", "as the current one"])
def test_images_are_loaded_into_the_cluster_that_is_asked_for(
    tmp_path: Path, context: str, loading: str, asked: str
) -> None:
    current = "minikube" if asked == "by its name" else context
    program(tmp_path / "kubectl", f"echo {current}")
    program(tmp_path / "docker")
    for loader in ("minikube", "kind"):
        program(tmp_path / loader, f'while [ $# -gt 1 ]; do said="$said $1"; shift; done; echo "{loader}$said"')
    path = f"{tmp_path}:/usr/bin:/bin"
    loaded = images(PATH=path, CONTEXT=context) if asked == "by its name" else images(PATH=path)
    assert loaded == [loading] * (len(NAMES) if loading else 0)


def test_a_builder_in_this_folder_is_found_from_another_one_too() -> None:
    said = ("--eval", "said:; @echo $$IMAGE_BUILDER", "said")
    command = ("make", "--no-print-directory", *said, "IMAGE_BUILDER=./kube/image build")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{ROOT}/kube/image build\n"
