"""A stack that runs on this machine is found from any folder, and never before what somebody has said himself."""

import json
import os
import sys
from pathlib import Path

import pytest
from ordersaga.order.v1 import order_pb2

from devstack.__main__ import main
from devstack.pointer import remember
from ordersaga_cli.places import KAFKA, running
from ordersaga_cli.stacks import pointer, running_stack
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.services import Services, serving
from tests.unit.ordersaga_cli.test_places import DEAD, give_away

HERE = {"DEVSTACK_DATA": ""}
"""An environment that says nothing, so that a stack is looked for."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own; commands run in another folder, in which there is nothing."""
    monkeypatch.delenv("DEVSTACK_DATA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


def stack(folder: Path, kafka: str = "127.0.0.1:1", pid: int | None = None) -> Path:
    """Write the state of a stack that runs in ``folder``."""
    data = folder / ".devstack"
    data.mkdir(parents=True)
    record = {"pid": pid or os.getpid(), "bootstrap": kafka}
    (data / "state.json").write_text(json.dumps({"kafka": record}))
    return data


def test_without_any_stack_nothing_is_found() -> None:
    assert running_stack() is None


def test_a_stack_is_found_from_each_folder_below_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack(tmp_path / "shop")
    deep = tmp_path / "shop" / "docs" / "how-to"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert running(KAFKA) == "127.0.0.1:1"


def test_the_nearest_stack_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack(tmp_path / "shop")
    stack(tmp_path / "shop" / "inner", "127.0.0.1:2")
    monkeypatch.chdir(tmp_path / "shop" / "inner")
    assert running(KAFKA) == "127.0.0.1:2"


def test_from_any_other_folder_it_is_the_one_that_was_started_last(tmp_path: Path) -> None:
    remember(stack(tmp_path / "first"))
    assert remember(stack(tmp_path / "second", "127.0.0.1:2"))
    assert running(KAFKA) == "127.0.0.1:2"


def test_the_note_is_for_its_owner_alone_and_both_sides_mean_the_same_file(home: Path, tmp_path: Path) -> None:
    remember(stack(tmp_path / "shop"))
    assert pointer() == home / "state" / "order-saga" / "stack"
    assert pointer().stat().st_mode & 0o777 == 0o600
    assert pointer().read_text() == f"{tmp_path / 'shop' / '.devstack'}\n"


def test_without_xdg_state_home_the_note_lies_below_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "ann"))
    remember(stack(tmp_path / "shop"))
    assert pointer() == tmp_path / "ann" / ".local" / "state" / "order-saga" / "stack"
    assert running(KAFKA) == "127.0.0.1:1"


def test_a_note_that_cannot_be_written_is_no_failure_of_the_start(home: Path, tmp_path: Path) -> None:
    home.write_text("a file where a folder should be")
    assert not remember(tmp_path)


@pytest.mark.parametrize("note", ["", "relative/.devstack\n", "/nonexistent\n", "\udcff"])
def test_a_note_that_leads_nowhere_counts_as_none(note: str) -> None:
    pointer().parent.mkdir(parents=True)
    pointer().write_bytes(note.encode(errors="surrogateescape"))
    assert running_stack() is None


def test_a_stack_that_has_ended_does_not_hide_the_one_that_runs(tmp_path: Path) -> None:
    stack(tmp_path / "elsewhere", "127.0.0.1:2", DEAD)
    remember(stack(tmp_path / "shop"))
    assert running(KAFKA) == "127.0.0.1:1"


def test_devstack_data_names_the_one_stack_and_nothing_else_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(stack(tmp_path / "shop"))
    monkeypatch.setenv("DEVSTACK_DATA", str(tmp_path / "none"))
    assert running_stack() is None


@pytest.mark.parametrize("whose", ["another's", "everybody's"])
def test_a_note_that_others_can_write_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    remember(stack(tmp_path / "shop"))
    if whose == "another's":
        give_away(pointer(), monkeypatch)
    else:
        pointer().chmod(0o606)
    refused = typed("topics", HERE)
    assert (refused.code, refused.out) == (1, "")
    assert f"{pointer()} is not believed: " in refused.err


def test_an_address_that_was_named_goes_before_each_stack_that_runs(tmp_path: Path) -> None:
    remember(stack(tmp_path / "shop"))
    with serving(Services(GetOrder=order_pb2.GetOrderResponse())) as address:
        assert typed("order get 42", {**HERE, **at(address)}).code == 0
        assert typed(f"order get 42 --order-svc-address {address}", HERE).code == 0


def test_status_says_of_which_stack_it_speaks_and_how_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordersaga_cli.status._KAFKA_SECONDS", 0.3)
    data = stack(tmp_path / "shop")
    remember(data)
    assert "Kafka does not answer at 127.0.0.1:1 (" in typed("status", HERE).out
    assert f"Stack: {data}, found by the last note of `make up`." in typed("status", HERE).out
    assert typed("status --json", HERE).json["stack"] == str(data)
    monkeypatch.chdir(data.parent)
    assert f"Stack: {data}, found by the folder this runs in." in typed("status", HERE).out
    assert f"Stack: {data}, found by DEVSTACK_DATA." in typed("status", {"DEVSTACK_DATA": str(data)}).out


def test_status_says_that_no_stack_was_found_and_nothing_of_it_where_addresses_were_named() -> None:
    assert "No stack was found that runs on this machine; these are the default addresses." in typed("status", HERE).out
    named = typed("status --metrics 127.0.0.1:9", HERE)
    assert "tack" not in named.out
    assert typed("status --metrics 127.0.0.1:9 --json", HERE).json["stack"] is None


def test_make_up_writes_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.__main__.bring_up", lambda _stack, _console: None)
    monkeypatch.setattr("devstack.__main__._end_in_good_order", lambda: None)
    monkeypatch.setenv("DEVSTACK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", ["devstack", "up"])
    assert main() == 0
    assert pointer().read_text() == f"{tmp_path / 'data'}\n"
