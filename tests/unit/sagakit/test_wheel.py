"""The kit as a stranger installs it: nothing with it but what an extra asks for, and each room works with its own."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.kit_wheel import PROJECT, built, lay_beside
from tools.paths import ROOT

ROOMS = [
    ("runtime", ["runtime"]),
    ("kafka", ["kafka", "avro"]),
    ("postgres", ["postgres"]),
    ("kafka,postgres", ["consumer", "offsets", "dead_letters", "outbox", "orchestrator"]),
    ("grpc", ["rpc"]),
    ("service", ["service"]),
    ("testing", ["testing.world"]),
]
"""As the wheel's README has it."""
OWN_SAGA = """
import sys
import sagakit.saga

assert "sagakit.records" in sys.modules
from dataclasses import dataclass
from sagakit.saga import Backoff, Cancel, Saga, Step, minutes, seconds
from sagakit.saga.instance import Status
from sagakit.testing import Conversation, PlainRecord

@dataclass(frozen=True)
class Done(PlainRecord, topic="done"):
    success: bool = True
    reason: str | None = None

class Wish(PlainRecord, topic="wishes"): pass
class Stop(PlainRecord, topic="wishes"): pass
class Do(PlainRecord, topic="do"): pass
class Undo(PlainRecord, topic="do"): pass
class Undone(PlainRecord, topic="done"): pass
class Granted(PlainRecord, topic="end"): pass
class Denied(PlainRecord, topic="end"): pass

step = Step("one", do=lambda wish: Do(wish.key), done=Done, undo=lambda wish: Undo(wish.key), undone=Undone,
            timeout=seconds(10), retry=Backoff(attempts=2, cap=minutes(1)))
saga = Saga(name="wish", start=Wish, steps=(step,), on_completed=lambda wish: Granted(wish.key),
            on_compensated=lambda wish, reason: Denied(wish.key),
            cancel=Cancel(Stop, start=lambda stop: Wish(stop.key), note=lambda stop: "no more"))
wish = Conversation(saga).hears(Wish(1))
wish.expects(Do).hears_nothing().expects(Do).replies(Done(1)).ends_with(Granted, Status.COMPLETED)
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an empty environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=100)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=100)
    return folder / "bin" / "python"


def run(python: Path, code: str, *arguments: str, beside: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program where only what is installed, and what lies ``beside``, can be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean |= {"PYTHONPATH": str(beside)} if beside else {}
    command, home = [str(python), "-c", code, *arguments], python.parent
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean, cwd=home)


def test_a_saga_of_ones_own_is_declared_and_tested_with_nothing_else_installed(empty: Path) -> None:
    done = run(empty, OWN_SAGA)
    assert done.returncode == 0, done.stderr
    for name in ("psycopg", "confluent_kafka", "grpc", "greenlet", "pydantic", "order_svc"):
        assert "ModuleNotFoundError" in run(empty, f"import {name}").stderr, name


@pytest.mark.parametrize(("extras", "rooms"), ROOMS, ids=[extras for extras, _ in ROOMS])
def test_each_room_works_with_the_extras_that_are_its_own(
    empty: Path, tmp_path: Path, extras: str, rooms: list[str]
) -> None:
    done = run(
        empty, IMPORT_ALL, *(f"sagakit.{room}" for room in rooms), beside=lay_beside(tmp_path, f"sagakit[{extras}]")
    )
    assert done.returncode == 0, done.stderr


def test_with_every_extra_every_module_imports(empty: Path, tmp_path: Path) -> None:
    everything = lay_beside(tmp_path, *(f"sagakit[{extra}]" for extra in PROJECT["optional-dependencies"]))
    done = run(empty, IMPORT_ALL, "sagakit", beside=everything)
    assert done.returncode == 0, done.stderr


def test_the_wheel_asks_for_what_the_project_is_tested_with() -> None:
    listed = (ROOT / "requirements-services.in").read_text() + (ROOT / "requirements-dev.in").read_text()
    lines = {line.split("#")[0].strip() for line in listed.splitlines()}
    wanted = {one for extra in PROJECT["optional-dependencies"].values() for one in extra}
    assert {one for one in wanted if not one.startswith("sagakit")} - lines == set()


def test_it_is_typed_and_licensed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "sagakit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"sagakit"}


def test_its_readme_says_which_extra_is_for_what() -> None:
    readme = (ROOT / "sagakit" / "README.md").read_text()
    for extras, rooms in ROOMS:
        (line,) = re.findall(rf"^\| `{extras}` \|.*", readme, re.MULTILINE)
        assert re.findall(r"`([\w.]+)`", line.split("|")[3]) == rooms
