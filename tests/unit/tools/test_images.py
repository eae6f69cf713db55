"""Which images are built, and where they go, by builders and clusters that only say what they are asked for."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sagakit.service.manifest import found
from tools.paths import ROOT

SERVICES = tuple(found(ROOT))
NAMES = {name: f"order-saga/{name.replace('_', '-')}:1.2.3" for name in (*SERVICES, "console_svc")}
BASE = "docker.io/library/python:3.13-slim"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
LISTS = """
case "$*" in *"image ls"*) for name in $TAKES; do echo "$name"; done ;; *) echo "minikube $*" | sed 's| /.*||' ;; esac
"""


def program(path: Path, *lines: str) -> str:
    """Make a program of shell lines; return where it is."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return str(path)


def run(folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": "/usr/bin:/bin", "TAG": "1.2.3", **environment}
    return subprocess.run(["tools/images.sh"], cwd=folder, env=given, capture_output=True, text=True, check=False)


def images(folder: Path = ROOT, **environment: str) -> list[str]:
    """Build images; return what the programs print that are used for it."""
    done = run(folder, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder with an engine, minikube, which takes the images ``TAKES``, and kind."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "docker")
    program(folder / "minikube", LISTS)
    program(folder / "kind", """echo "kind $*" | sed 's| /.*||'""")
    return folder


def cluster(tools: Path, node: str) -> None:
    """Let kubectl say ``node`` of the context "mine", and of no other."""
    program(
        tools / "kubectl",
        'case "$*" in *--context\\ mine*get*) ;; *current*) exit ;; *) exit 1 ;; esac',
        f"echo {node}",
    )


def test_each_service_has_an_image_which_is_told_the_service_s_folder(tmp_path: Path) -> None:
    builder = program(tmp_path / "builder", 'echo "$@"')
    built = [said.partition(" --build-arg VERSION=") for said in images(IMAGE_BUILDER=builder)]
    options = {**{name: f"--build-arg SERVICE={name}" for name in SERVICES}, "console_svc": "--target console"}
    assert {of for of, _, _ in built} == {f"localhost/{NAMES[name]} . {options[name]}" for name in NAMES}
    assert {version.split("+")[0] for _, _, version in built} == {"1.2.3"}, "an image knows which version it is"


def test_another_base_is_given_to_the_builder(tmp_path: Path) -> None:
    builder = program(tmp_path / "builder", 'echo "$@"')
    for said in images(IMAGE_BUILDER=builder, BASE="python:3.13-slim"):
        assert said.endswith(" --build-arg BASE=python:3.13-slim")


@pytest.mark.parametrize(
    ("node", "loading"),
    [
        ("minikube,", "minikube --profile minikube image load"),
        ("shop,", "minikube --profile shop image load"),
        (",kind://docker/kind/kind-control-plane", "kind load image-archive --name kind"),
        (",kind://podman/two-words/two-words-worker", "kind load image-archive --name two-words"),
    ],
)
def test_images_are_loaded_into_the_cluster_behind_the_context_whatever_either_is_called(
    tools: Path, node: str, loading: str
) -> None:
    cluster(tools, node)
    takes = " ".join(f"docker.io/localhost/{name}" for name in NAMES.values())
    assert images(PATH=f"{tools}:/usr/bin:/bin", CONTEXT="mine", TAKES=takes) == [loading] * len(NAMES)


def test_an_image_that_minikube_says_to_load_and_does_not_is_a_failure(tools: Path) -> None:
    cluster(tools, "shop,")
    done = run(PATH=f"{tools}:/usr/bin:/bin", CONTEXT="mine", TAKES="localhost/order-saga/order-svc:1.2.30")
    assert done.returncode == 1
    assert "minikube's profile 'shop' has not taken localhost/order-saga/" in done.stderr


@pytest.mark.parametrize(
    ("context", "reason"),
    [("mine", "is neither minikube's nor kind's"), ("other", "no cluster answers by the context 'other'")],
)
def test_where_nothing_can_be_loaded_nothing_is_built_and_it_fails(tools: Path, context: str, reason: str) -> None:
    cluster(tools, ",aws:///eu-central-1a/i-1")
    program(tools / "docker", '[ "$1" = info ] || echo built')
    done = run(PATH=f"{tools}:/usr/bin:/bin", CONTEXT=context)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "REGISTRY=" in done.stderr


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """Return a copy of what the script reads, in which the base has a digest."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "helm", copy / "helm")
    (copy / "tools").mkdir()
    for file in ("tools/images.sh", "tools/base.sh", "Dockerfile"):
        shutil.copy(ROOT / file, copy / file)
    for name in NAMES:
        (copy / name).mkdir()
        (copy / name / "__main__.py").touch()
    text = (copy / "Dockerfile").read_text()
    (copy / "Dockerfile").write_text(text.replace(f"ARG BASE={BASE}\n", f"ARG BASE={BASE}@{DIGEST}\n"))
    return copy


DOCKER = f"""
case "$*" in info) exit ;; esac
echo "$*" | sed 's| --metadata-file [^ ]*||'
while [ "$1" != --metadata-file ]; do shift; done
cat >"$2" <<END
{{
  "containerimage.descriptor": {{"digest": "sha256:other"}},
  "containerimage.digest": "{DIGEST}"
}}
END
"""
BUILDAH = f"""
echo "$*" | sed 's| --digestfile [^ ]*||'
case "$*" in "manifest push"*) ;; *) exit ;; esac
while [ "$1" != --digestfile ]; do shift; done
printf '{DIGEST}' >"$2"
"""


@pytest.mark.parametrize("builder", ["docker", "buildah"])
def test_pushed_images_are_for_both_architectures_and_are_installed_by_their_digests(
    tools: Path, pinned: Path, builder: str
) -> None:
    program(tools / "docker", DOCKER if builder == "docker" else "exit 1")
    program(tools / "buildah", BUILDAH)
    said = images(pinned, PATH=f"{tools}:/usr/bin:/bin", REGISTRY="ghcr.io/me/order-saga")
    built = [line for line in said if "--platform linux/amd64,linux/arm64" in line]
    assert len(built) == len(NAMES)
    if builder == "docker":
        assert all("--sbom=true --provenance=mode=max --push" in line for line in built)
    else:
        assert sum(line.startswith("manifest push --all ghcr.io/me/") for line in said) == len(NAMES)
    chart = ["helm", "template", "demo", "helm/order-saga", "--values", "dist/images.yaml"]
    rendered = subprocess.run(chart, cwd=pinned, capture_output=True, text=True, check=True).stdout
    ours = {line.split("image: ")[1] for line in rendered.splitlines() if "image: ghcr.io" in line}
    assert ours == {f"ghcr.io/me/{name}@{DIGEST}" for name in NAMES.values()}


def test_a_push_of_which_the_builder_says_no_digest_is_a_failure(tools: Path, pinned: Path) -> None:
    """Buildah 1.28 ends with 0 where a push fails, and leaves the file for the digest empty."""
    program(tools / "docker", "exit 1")
    program(tools / "buildah", BUILDAH.replace(DIGEST, ""))
    done = run(pinned, PATH=f"{tools}:/usr/bin:/bin", REGISTRY="ghcr.io/me/order-saga")
    assert done.returncode == 1
    assert "console-svc:1.2.3: buildah says no digest, so it is not pushed" in done.stderr
    assert not (pinned / "dist" / "images.yaml").exists()


def test_nothing_is_pushed_on_a_base_that_may_be_another_tomorrow(tools: Path) -> None:
    program(tools / "docker", '[ "$1" = info ] || echo built')
    done = run(PATH=f"{tools}:/usr/bin:/bin", REGISTRY="ghcr.io/me/order-saga", BASE="python:3.13-slim")
    assert (done.returncode, done.stdout) == (1, "")
    assert "python:3.13-slim has no digest: see `make base`" in done.stderr


@pytest.mark.parametrize("asked", ["docker", "skopeo"])
def test_the_base_is_pinned_by_what_its_registry_says(tools: Path, pinned: Path, asked: str) -> None:
    new = f"sha256:{'f' * 64}"
    program(tools / "docker", f"echo {new}" if asked == "docker" else "exit 1")
    program(tools / "skopeo", "printf manifest")
    done = subprocess.run(
        ["tools/base.sh"],
        cwd=pinned,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = new if asked == "docker" else f"sha256:{hashlib.sha256(b'manifest').hexdigest()}"
    assert done.stdout == f"{BASE}@{expected}\n"
    assert f"ARG BASE={done.stdout}" in (pinned / "Dockerfile").read_text()


def test_what_is_no_digest_is_not_written(tools: Path, pinned: Path) -> None:
    program(tools / "docker", "echo no such image")
    before = (pinned / "Dockerfile").read_text()
    done = subprocess.run(
        ["tools/base.sh"],
        cwd=pinned,
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (pinned / "Dockerfile").read_text() == before


def test_nobody_else_can_own_the_name_that_the_images_have_by_default() -> None:
    values = yaml.safe_load((ROOT / "helm" / "order-saga" / "values.yaml").read_text())
    assert values["image"]["repository"] == "localhost/order-saga"


def test_a_builder_in_this_folder_is_found_from_another_one_too() -> None:
    said = ("--eval", "said:; @echo $$IMAGE_BUILDER", "said")
    command = ("make", "--no-print-directory", *said, "IMAGE_BUILDER=./kube/image build")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{ROOT}/kube/image build\n"
