"""A service that runs older code than there is now is known, and so is a part that does not exist."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import services
from devstack.errors import DevstackError
from devstack.layout import Layout
from devstack.services import NAMES
from devstack.stack import Stack

SLEEP = ("-c", "import time; time.sleep(60)")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the code of one service and of the kit, in place of this one."""
    for path in ("order_svc/store.py", "product_svc/store.py", "sagakit/errors.py", "gen/ordersaga/messages.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("before")
    monkeypatch.setattr(services, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def stack(code: Path) -> Iterator[Stack]:
    """A stack whose order_svc is a process that does nothing."""
    stack = Stack(Layout.fresh(code / "data"))
    stack.service("order_svc").launch("dsn", "kafka", "registry", program=SLEEP)
    yield stack
    stack.service("order_svc").kill()


@pytest.mark.parametrize("changed", ["order_svc/store.py", "sagakit/errors.py", "gen/ordersaga/messages.py"])
def test_a_service_is_stale_once_its_code_or_the_kit_s_or_a_message_has_changed(
    stack: Stack, code: Path, changed: str
) -> None:
    assert stack.stale == []
    (code / changed).write_text("after")
    assert stack.stale == ["order_svc"]


def test_the_code_of_another_service_makes_none_stale(stack: Stack, code: Path) -> None:
    (code / "product_svc/store.py").write_text("after")
    assert stack.stale == []


def test_what_is_stale_gets_another_process_and_what_is_not_keeps_its_own(stack: Stack, code: Path) -> None:
    service = stack.service("order_svc")
    first = service.pid
    service.launch("dsn", "kafka", "registry", program=SLEEP)
    assert service.pid == first
    (code / "order_svc/store.py").write_text("after")
    service.launch("dsn", "kafka", "registry", program=SLEEP)
    assert service.pid not in {first, None}
    assert stack.stale == []


def test_one_part_is_stopped_by_its_name_and_one_that_does_not_run_is_named(stack: Stack) -> None:
    told: list[tuple[str, str]] = []
    for _ in range(2):
        stack.stop(["order_svc"], lambda *news: told.append(news))
        assert stack.service("order_svc").pid is None
    assert told == [("order_svc", "stopping"), ("order_svc", "stopped"), ("order_svc", "does not run")]


def test_a_server_of_somebody_else_is_not_stopped(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("DEVSTACK_DATA", str(code / "other"))
    told: list[tuple[str, str]] = []
    Stack(Layout.from_environment()).stop(["kafka"], lambda *news: told.append(news))
    assert told == [("kafka", "is somebody else's, and goes on")]


def test_a_part_that_does_not_exist_is_named_with_those_that_do(stack: Stack) -> None:
    with pytest.raises(DevstackError, match=f"there is no ordr_svc; there are postgres, .*{NAMES[-1]}"):
        stack.stop(["ordr_svc"])
    with pytest.raises(DevstackError, match="there is no ordr_svc; there are order_svc"):
        stack.restart(["ordr_svc"])
    with pytest.raises(DevstackError, match="kafka cannot be restarted alone"):
        stack.restart(["kafka"])


def test_a_service_is_not_restarted_where_the_stack_does_not_run(stack: Stack) -> None:
    before = stack.service("order_svc").pid
    with pytest.raises(DevstackError, match="the stack does not run; make up starts it"):
        stack.restart(["order_svc"])
    assert stack.service("order_svc").pid == before


def test_only_what_runs_the_code_of_now_on_the_same_servers_is_left_alone(stack: Stack, code: Path) -> None:
    service = stack.service("order_svc")
    assert service.is_current("dsn", "kafka", "registry")
    assert not service.is_current("dsn", "another kafka", "registry")
    (code / "order_svc/store.py").write_text("after")
    assert not service.is_current("dsn", "kafka", "registry")


def test_what_was_never_started_is_not_restarted(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for server in (stack.postgres, stack.kafka, stack.registry):
        monkeypatch.setattr(server, "external", True)  # else the stack does not run, which is said first
    with pytest.raises(DevstackError, match="product_svc was never started; make up starts everything"):
        stack.restart(["product_svc"])
