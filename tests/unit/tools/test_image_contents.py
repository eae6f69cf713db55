"""An image carries what it runs and nothing else: all of its modules can be imported, and all of its packages are.

It is shown on an image's packages and files alone, made by what the build runs: no container engine is needed.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagakit.service.manifest import found
from tests.support.image import Image, copies, stages
from tools.paths import ROOT

LOOK = """
import ast, importlib, json, pkgutil, sys
from importlib import metadata

for name in sys.argv[1].split(","):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
named = set()  # what our modules import, also where they do it late
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or ""
    if not file.startswith(sys.argv[2]):
        continue
    for node in ast.walk(ast.parse(open(file).read())):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            named.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
paths = {name.replace(".", "/") for name in named}
ends = (".py", "/__init__.py")
used = {
    one.metadata["Name"].lower().replace("_", "-")
    for one in metadata.distributions()
    if any(str(file).removesuffix(end) in paths for file in one.files or () for end in ends if str(file).endswith(end))
}
print(json.dumps(sorted(used)))
"""
"""Imports packages with all of their modules; says which installed distributions they import, now or later."""

FAIL = """
from sagakit.runtime import logs

logs.configure("order_svc", "INFO", "console")
try:
    1 / 0
except ZeroDivisionError:
    logs.logger("service").exception("failed")
"""

pytestmark = [
    pytest.mark.may_skip,
    pytest.mark.skipif(shutil.which("strip") is None, reason="binutils are not installed, which the build uses"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("service"), "", "order_svc")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(tmp_path_factory.mktemp("console"), "console")


def asked_for(image: str) -> set[str]:
    lines = (ROOT / f"requirements-{image}.in").read_text().splitlines()
    return {name[0] for line in lines if (name := re.match(r"[a-z0-9-]+", line))}


def used(image: Image, *packages: str) -> set[str]:
    """Return the distributions that ``packages`` import, all of whose modules must be importable."""
    done = image.run("-c", LOOK, ",".join(packages), str(image.app))
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_a_service_s_image_runs_all_that_it_holds_and_needs_all_of_it(service: Image) -> None:
    assert asked_for("services") - used(service, "sagakit", "order_svc", "ordersaga_cli", "ordersaga_client") == set()


def test_the_console_s_image_runs_the_console_and_needs_all_that_it_holds(console: Image) -> None:
    assert asked_for("console") - used(console, "console_svc") == set()


def test_the_packages_of_services_are_enough_for_each(service: Image) -> None:
    imports = "; ".join(f"import {name}.__main__" for name in found(ROOT))
    done = service.run("-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {imports}")
    assert done.returncode == 0, done.stderr


def test_the_command_line_prints_tables_without_what_rich_brings_along_for_other_things(service: Image) -> None:
    done = service.run("-m", "ordersaga_cli", "status", "--metrics", "127.0.0.1:1")
    assert "127.0.0.1:1" in done.stdout, done.stderr


def test_a_service_that_fails_tells_its_traceback_without_what_is_left_out(service: Image) -> None:
    done = service.run("-c", FAIL)
    assert "ZeroDivisionError" in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def test_an_image_holds_neither_tests_nor_stubs(service: Image, console: Image) -> None:
    for image in (service, console):
        root = image.app.parent
        assert list(root.rglob("*.pyi")) == []
        assert [path for path in root.rglob("*") if path.is_dir() and path.name in {"test", "tests", "testing"}] == []


def test_all_packages_of_an_image_are_compiled(service: Image) -> None:
    assert list(_not_compiled(service.app.parent / "venv" / "lib")) == []


def test_the_build_compiles_every_folder_that_it_copies() -> None:
    """An image's file system may be read-only: what is not compiled by then is compiled anew at each start."""
    for stage in ("console", "services", ""):
        lines = (ROOT / "Dockerfile").read_text().partition(f"AS {stage}\n" if stage else "FROM services\n")[2]
        own = lines.partition("\nFROM ")[0]
        last = max(own.rfind(f"COPY {folder} ") for folder in copies(stage))
        assert "compileall" in own[last:], stage or "the last stage"


@pytest.mark.parametrize("stage", ["console", ""])
def test_an_image_of_another_version_says_that_version_though_all_else_is_cached(stage: str) -> None:
    """Where an argument has another value, buildah does only RUN again."""
    _, lines = stages()[stage]
    kinds = [line.split(" ")[0] + (" VERSION" if line.startswith("ARG VERSION") else "") for line in lines if line]
    assert "RUN" in kinds[kinds.index("ARG VERSION") :]
    assert "VERSION" not in "".join(lines[: lines.index("ARG VERSION=unknown")])


def test_the_build_sees_what_it_copies_and_the_lock_of_each_image() -> None:
    seen = (ROOT / ".dockerignore").read_text()
    for folder in {*copies("console"), *copies("")} - {"$SERVICE", "console_svc"}:
        assert f"\n!{folder}\n" in seen
    assert {"!requirements-services.txt", "!requirements-console.txt", "!tools/slim.sh"} <= set(seen.splitlines())


def _not_compiled(folder: Path) -> Iterator[Path]:
    for source in folder.rglob("*.py"):
        if not any((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")):
            yield source
