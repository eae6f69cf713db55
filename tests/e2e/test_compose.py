"""What compose.yaml starts takes orders: its commands, environments and health checks, run without containers.

No container engine is here. What an engine itself does, such as networks, mounts and users, is not shown.
"""

import json
import re
import socket
from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from devstack.ports import free_port
from tests.conftest import FIRST_START_SECONDS
from tests.support.compose import SERVERS, SERVICES, Composed

pytestmark = pytest.mark.timeout(FIRST_START_SECONDS)


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    running = Composed(tmp_path_factory.mktemp("composed"))
    try:
        running.start_servers()
        running.up()
        yield running
    finally:
        running.down()


def order(composed: Composed, *, price: int = 10000) -> str:
    """Place an order by the command line; return how it ends."""
    which = ["--user", "1", "--product", "1", "--quantity", "1", "--price", str(price)]
    done = composed.line("order", "create", *which, "--watch", "--json")
    return str(json.loads(done.stdout.splitlines()[-1])["order"]["status"])


def test_an_order_goes_through_its_saga(composed: Composed) -> None:
    assert "COMPLETED" in order(composed)
    assert "CANCELLED" in order(composed, price=1)


def test_the_command_line_in_a_service_s_container_reaches_the_other_services(composed: Composed) -> None:
    status = composed.line("status")
    assert (status.returncode, len(re.findall(r"127\.0\.0\.1:\d+ +yes +yes", status.stdout))) == (0, 4), status.stdout
    assert composed.line("saga", "list").returncode == 0


def test_the_console_shows_it_to_a_browser_of_this_machine(composed: Composed) -> None:
    page = httpx2.get(f"http://127.0.0.1:{composed.port('console', 8088)}/sagas", follow_redirects=True)
    assert page.status_code == 200
    assert "compose" in page.text


def test_the_servers_are_seen_to_be_healthy(composed: Composed) -> None:
    for name in SERVERS:
        assert composed.healthy(name), name


def test_a_service_runs_with_the_rights_of_its_runtime_role(composed: Composed) -> None:
    url = str(SERVICES["order-svc"]["environment"]["DATABASE_URL"])
    here = url.replace("postgres:5432", f"127.0.0.1:{composed.port('postgres', 5432)}")
    with psycopg.connect(here) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (id int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(here.removesuffix("order_svc") + "product_svc")


@pytest.mark.parametrize("name", [name for name in SERVICES if name in {"kafka", "registry", "order-svc", "console"}])
def test_what_does_not_answer_is_not_healthy(composed: Composed, name: str) -> None:
    inside = {"kafka": 19092, "registry": 8080, "order-svc": 9101, "console": 8088}[name]
    asked = composed.port(name, inside)
    try:
        composed.move(name, inside, free_port())
        assert not composed.healthy(name), "nothing listens"
        with socket.create_server(("127.0.0.1", 0)) as silent:
            composed.move(name, inside, silent.getsockname()[1])
            assert not composed.healthy(name), "something takes the connection, and says nothing"
    finally:
        composed.move(name, inside, asked)


def test_a_second_up_starts_what_has_ended_and_does_again_what_is_done_at_each(composed: Composed) -> None:
    composed.stop("delivery-svc")
    assert not composed.healthy("delivery-svc")
    composed.up()
    assert "COMPLETED" in order(composed)
