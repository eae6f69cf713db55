"""The state file has the form that people's scripts rely on, and a broken one counts as none."""

import json
from pathlib import Path

import pytest

from devstack.state import State


def test_servers_stand_at_the_top_and_services_below_services(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    state.put("kafka", service=False, record={"pid": 1, "bootstrap": "127.0.0.1:9092", "log": "kafka.log"})
    state.put(
        "order_svc", service=True, record={"pid": 2, "grpc": "127.0.0.1:50051", "dsn": "…", "log": "order_svc.log"}
    )
    assert json.loads((tmp_path / "state.json").read_text()) == {
        "kafka": {"pid": 1, "bootstrap": "127.0.0.1:9092", "log": "kafka.log"},
        "services": {"order_svc": {"pid": 2, "grpc": "127.0.0.1:50051", "dsn": "…", "log": "order_svc.log"}},
    }
    assert State(tmp_path / "state.json").get("order_svc")["pid"] == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"'])
def test_a_broken_file_counts_as_nothing_running(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    assert State(tmp_path / "state.json").get("kafka") == {}


@pytest.mark.parametrize("content", ['{"kafka": 5}', '{"services": 5}', '{"services": {"kafka": "text"}}'])
def test_a_record_that_is_none_counts_as_nothing_running(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    assert State(tmp_path / "state.json").get("kafka") == {}


def test_another_process_s_changes_are_seen_after_a_reload(tmp_path: Path) -> None:
    ours, theirs = State(tmp_path / "state.json"), State(tmp_path / "state.json")
    theirs.put("kafka", service=False, record={"pid": 7})
    ours.reload()
    assert ours.get("kafka") == {"pid": 7}
