"""``make logs``: lines for people, of our services and of the servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from devstack.__main__ import main
from devstack.layout import ROOT
from devstack.log_lines import line_for_people

OURS = {
    "order_id": 42,
    "saga": "order",
    "event": "saga advanced",
    "service": "order_svc",
    "level": "info",
    "timestamp": "2026-11-30T02:13:26.123456Z",
}


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logs of a stack in which nothing runs."""
    monkeypatch.setenv("DEVSTACK_DATA", str(tmp_path))
    monkeypatch.setattr("devstack.__main__._end_in_good_order", lambda: None)  # pytest's process has its own endings
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["devstack", "logs", *words])
    return main()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (json.dumps(OURS), "2026-11-30 02:13:26.123  order_svc        info     saga advanced  order_id=42  saga=order"),
        (
            "2026-11-30 02:13:26.123 UTC [17] LOG:  database system is ready",
            "2026-11-30 02:13:26.123  order_svc        log      database system is ready",
        ),
        (
            "1835 [quorum-controller-1-event-handler] WARN org.apache.kafka.Broker - late",
            "after 1.835 s            order_svc        warn     org.apache.kafka.Broker - late",
        ),
        (
            "2026-11+00-30 02:13:26 INFO [io.apicurio] started",
            "2026-11-30 02:13:26      order_svc        info     [io.apicurio] started",
        ),
        ('  File "x.py", line 1', " " * 23 + '  order_svc                   File "x.py", line 1'),
        ('{"no": "event"}', " " * 23 + '  order_svc                 {"no": "event"}'),
        ("[" * 100_000, " " * 23 + "  order_svc                 " + "[" * 100_000),
    ],
    ids=["a service's", "PostgreSQL's", "Kafka's", "the registry's", "a traceback's", "another's", "a deep one"],
)
def test_a_line_has_time_service_level_event_and_the_rest(line: str, shown: str) -> None:
    assert line_for_people("order_svc", line).plain == shown


def test_what_a_stranger_has_sent_moves_no_cursor() -> None:
    shown = line_for_people("order_svc", json.dumps({**OURS, "error": "\x1b[2Jboo\nfake line"})).plain
    assert "\x1b" not in shown
    assert shown.count("\n") == 0
    assert "error=\\x1b[2Jboo\\nfake line" in shown


def test_a_traceback_stands_below_its_line() -> None:
    failed = {**OURS, "level": "error", "exception": "Traceback:\n  ValueError: bad"}
    assert line_for_people("order_svc", json.dumps(failed)).plain.splitlines()[1:] == [
        "    Traceback:",
        "      ValueError: bad",
    ]


def test_a_terminal_gets_colours() -> None:
    console = Console(force_terminal=True, width=200, color_system="standard")
    with console.capture() as captured:
        console.print(line_for_people("order_svc", json.dumps({**OURS, "level": "error"})))
    assert "\x1b[" in captured.get()


def test_one_service_is_shown_alone_without_colours_where_no_terminal_is(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "order_svc.log").write_text(json.dumps(OURS) + "\n")
    (logs / "product_svc.log").write_text(json.dumps({**OURS, "service": "product_svc"}) + "\n")
    assert run(monkeypatch, "order_svc") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == [
        f"==> {logs / 'order_svc.log'} <==",
        "2026-11-30 02:13:26.123  order_svc        info     saga advanced  order_id=42  saga=order",
    ]
    assert "product_svc" not in out


def test_all_parts_are_shown_where_none_is_named(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("order_svc", "kafka"):
        (logs / f"{name}.log").write_text("a line\n" * 30)
    assert run(monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("a line")] == ["kafka"] * 20 + ["order_svc"] * 20


def test_without_logs_it_says_what_makes_some(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logs.exists()
    assert run(monkeypatch) == 1
    assert "there are no logs yet; make up starts the stack" in capsys.readouterr().err


def test_following_shows_what_is_added_with_its_service_until_it_is_ended(logs: Path) -> None:
    for name in ("order_svc", "product_svc"):
        (logs / f"{name}.log").write_text(json.dumps({**OURS, "event": f"old of {name}"}) + "\n")
    command = [sys.executable, "-m", "devstack", "logs", "order_svc", "product_svc", "--follow"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert [following.stdout.readline().split()[2] for _ in range(2)] == ["order_svc", "product_svc"]
        with (logs / "order_svc.log").open("a") as log:
            log.write(json.dumps({**OURS, "event": "news"}) + "\n")
        assert "order_svc        info     news" in following.stdout.readline()
        following.terminate()  # Ctrl-C may be ignored by whoever runs the tests, and then is by those that they start
        assert following.wait(30) == 130
