"""The chart on a real cluster: installed, used, upgraded, broken and healed, rolled back, removed. In this order."""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from tests.cluster.release import NAME, SERVICES, Load, Release, is_ready, tag
from tests.support.wait import eventually

ORDERS = 500
NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
SECRETS = f"order-saga/release={NAME}"
"""The label of what the chart's job has made."""
pytestmark = pytest.mark.timeout(1200)


def fingerprint(release: Release) -> dict[str, object]:
    """Return what an upgrade that changes nothing must leave: objects' generations, pods, secrets."""
    objects = release.get("deployments,statefulsets,poddisruptionbudgets,networkpolicies")
    pods = [pod["metadata"] for pod in release.pods()]
    return {
        "generations": {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["generation"] for o in objects},
        # The contracts' job is made anew by each upgrade.
        "pods": sorted(pod["uid"] for pod in pods if "job-name" not in pod["labels"]),
        "secrets": {one["metadata"]["name"]: one["data"] for one in release.get("secrets", "--selector", SECRETS)},
    }


def test_it_is_ready_without_a_restart_on_the_way(release: Release) -> None:
    assert release.restarts() == {}
    assert all(pod["status"]["phase"] in {"Running", "Succeeded"} for pod in release.pods())


def test_its_own_tests_pass(release: Release) -> None:
    output = release.helm("test", NAME, "--logs", "--timeout", "5m")
    assert "is ORDER_STATUS_COMPLETED , 9 of 10 pieces left" in output
    assert "is ORDER_STATUS_CANCELLED UNDELIVERABLE_ADDRESS, 10 of 10 pieces left" in output


def test_an_order_through_a_forwarded_port_is_pending_and_then_completed(release: Release) -> None:
    trusted = grpc.ssl_channel_credentials(release.authority)
    with release.forwarded("order-svc", 50051) as address, grpc.secure_channel(address, trusted) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)
        wanted = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10_000)
        order = orders.CreateOrder(wanted, timeout=20).order
        assert order.status == order_pb2.ORDER_STATUS_PENDING
        *_, last = orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=order.order_id), timeout=60)
        assert last.order.status == order_pb2.ORDER_STATUS_COMPLETED


def operator(release: Release, *command: str) -> str:
    """Run the command line where operators do."""
    return release.kubectl("exec", f"deployment/{NAME}-operators", "--", "ordersaga", *command)


def test_an_operator_finds_the_command_line_in_the_cluster(release: Release) -> None:
    output = operator(release, "saga", "list", "--json")
    assert "SAGA_STATUS_COMPLETED" in {saga["status"] for saga in json.loads(output)["sagas"]}
    assert "order-created" in operator(release, "topics")
    assert json.loads(operator(release, "dlq", "list", "--json")) is not None
    assert "ready" in release.kubectl("exec", f"deployment/{NAME}-product-svc", "--", "ordersaga", "status")


def test_services_whose_pods_are_deleted_stop_in_order(release: Release) -> None:
    pods = {service: release.pods(service)[0]["metadata"]["name"] for service in SERVICES}
    with ExitStack() as stack:
        logs = {name: stack.enter_context(release.beside("logs", "--follow", name)) for name in pods.values()}
        release.kubectl("delete", "pod", *pods.values(), "--timeout=40s")  # what has not stopped after 45 is killed
        said = {service: logs[pods[service]].communicate(timeout=30)[0].splitlines() for service in SERVICES}
    last = {service: json.loads(lines[-1])["event"] for service, lines in said.items()}
    assert last == dict.fromkeys(SERVICES, "stopped")

    def ready_again() -> None:
        assert all(any(is_ready(pod) for pod in release.pods(service)) for service in SERVICES)

    eventually(ready_again, 300, every=1)


def test_an_upgrade_with_the_same_values_changes_nothing(release: Release) -> None:
    before = fingerprint(release)
    release.upgrade()
    assert fingerprint(release) == before


def replace(part: str) -> Callable[[Release], None]:
    return lambda release: release.remove_pod(part)


def upgrade_to_another_tag(release: Release) -> None:
    release.upgrade(image=f"{tag()}-next")


def roll_back(release: Release) -> None:
    release.helm("rollback", NAME, "--wait", "--timeout", "10m")


def scale_out_and_in(release: Release) -> None:
    release.scale(3)
    release.scale(1)


def renew_certificates(release: Release) -> None:
    """Have every certificate made anew, as the docs say, and wait until Kafka has taken its own."""
    begun = release.started("kafka")
    parts = (*NOUNS, "kafka", "registry", "postgres", "deployer", "operators", "console")
    release.kubectl("delete", "secret", *(f"{NAME}-{part}-tls" for part in parts))
    release.upgrade()

    def taken() -> None:
        assert release.started("kafka") != begun
        assert all(is_ready(pod) for pod in release.pods("kafka"))

    eventually(taken, 240, every=1)


def change_passwords(release: Release) -> None:
    """Have the passwords of every part made anew, as the docs say."""
    parts = (*NOUNS, "registry", "postgres", "deployer", "operators", "console", "replay")
    before = release.secret(f"{NAME}-order-login")
    release.kubectl("delete", "secret", *(f"{NAME}-{part}-login" for part in parts))
    release.upgrade()
    after = release.secret(f"{NAME}-order-login")
    assert all(before[key] != after[key] for key in before)


FAULTS: dict[str, Callable[[Release], None]] = {
    **{f"{part}-deleted": replace(part) for part in (*SERVICES, "kafka", "postgres", "registry")},
    "upgrade": upgrade_to_another_tag,
    "rollback": roll_back,
    "scaled": scale_out_and_in,
    "certificates-renewed": renew_certificates,
    "passwords-changed": change_passwords,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_order_is_lost_while(release: Release, fault: str) -> None:
    load = Load(release, f"load-{fault}", ORDERS, seconds=40)
    load.begun()
    FAULTS[fault](release)
    print(fault, load.must_lose_nothing())  # for whoever asks for it with -s


def test_what_is_left_when_it_is_removed_are_the_volumes_and_secrets_it_named_and_it_goes_on_with_them(
    release: Release,
) -> None:
    volumes = {f"data-{NAME}-postgres-0", f"data-{NAME}-kafka-0"}
    notes = release.helm("get", "notes", NAME)
    assert set(re.findall(rf"data-{NAME}-\S+", notes)) == volumes
    assert f"delete secret --selector {SECRETS}\n" in notes
    secrets = fingerprint(release)["secrets"]
    cluster = release.kubectl("exec", f"{NAME}-kafka-0", "--", "cat", "/var/lib/kafka/data/log/meta.properties")
    release.helm("uninstall", NAME, "--wait")
    kinds = (
        "all,configmaps,secrets,persistentvolumeclaims,poddisruptionbudgets,networkpolicies,"
        "serviceaccounts,roles,rolebindings"
    )

    def only_volumes() -> None:
        left = release.get(kinds, "--selector", f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component!=test")
        assert {one["metadata"]["name"] for one in left} == volumes

    eventually(only_volumes, 120, every=1)
    release.install()
    assert fingerprint(release)["secrets"] == secrets
    assert release.kubectl("exec", f"{NAME}-kafka-0", "--", "cat", "/var/lib/kafka/data/log/meta.properties") == cluster
    release.helm("test", NAME, "--timeout", "5m")
    output = operator(release, "order", "get", "1", "--json")
    assert json.loads(output)["order"]["status"] == "ORDER_STATUS_COMPLETED"
