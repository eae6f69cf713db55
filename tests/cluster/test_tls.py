"""TLS on a real cluster: whose secret is mounted where, what speaks in the clear, and certificates that change."""

from collections.abc import Callable, Iterator

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from tests.cluster.release import NAME, SERVICES, Release
from tests.cluster.shown import TAKEN_SECONDS, serial_of, served, served_by_postgres
from tests.support.wait import eventually

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
pytestmark = pytest.mark.timeout(900)


def mounted_at_tls(release: Release, part: str) -> set[str]:
    """Return the secrets that the pods of a part mount at ``/tls``."""
    return {
        volume["secret"]["secretName"]
        for pod in release.pods(part)
        for volume in pod["spec"]["volumes"]
        if volume["name"] == "tls"
    }


@pytest.fixture
def order_svc(release: Release) -> Iterator[str]:
    """Where order_svc's API is, by a forwarded port."""
    with release.forwarded("order-svc", 50051) as address:
        yield address


@pytest.mark.parametrize("part", [*SERVICES, "kafka", "registry", "postgres", "operators", "console"])
def test_each_part_has_its_own_certificate(release: Release, part: str) -> None:
    assert mounted_at_tls(release, part) == {f"{NAME}-{part.removesuffix('-svc')}-tls"}


def test_a_call_in_the_clear_is_not_answered(order_svc: str) -> None:
    with grpc.insecure_channel(order_svc) as channel, pytest.raises(grpc.RpcError) as refused:
        order_pb2_grpc.OrderServiceStub(channel).ListOrders(order_pb2.ListOrdersRequest(), timeout=20)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_call_by_the_release_s_authority_is_answered(release: Release, order_svc: str) -> None:
    with grpc.secure_channel(order_svc, grpc.ssl_channel_credentials(release.authority)) as channel:
        order_pb2_grpc.OrderServiceStub(channel).ListOrders(order_pb2.ListOrdersRequest(), timeout=20)


def renew(release: Release, part: str, port: int, shown: Callable[[str], int | None] = served) -> None:
    """Have the certificate of a part made anew, and wait until it is ``shown`` at the part's port."""
    secret = f"{NAME}-{part.removesuffix('-svc')}-tls"
    before = serial_of(release.secret(secret)["tls.crt"])
    release.kubectl("delete", "secret", secret)
    release.upgrade()
    renewed = serial_of(release.secret(secret)["tls.crt"])
    assert renewed != before

    def is_served() -> None:
        with release.forwarded(part, port) as address:
            assert shown(address) == renewed

    eventually(is_served, TAKEN_SECONDS, every=5)


@pytest.mark.parametrize(("part", "port"), [("order-svc", 50051), ("registry", 8443), ("console", 8088)])
def test_a_renewed_certificate_is_served_without_a_restart(release: Release, part: str, port: int) -> None:
    begun = release.started(part)
    renew(release, part, port)
    assert release.started(part) == begun
    release.helm("test", NAME, "--timeout", "5m")


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_renewed_certificate_of_the_database_is_served_without_a_restart(release: Release, time: str) -> None:  # noqa: ARG001 - what was noted of the first must not hinder the second
    begun = release.started("postgres")
    renew(release, "postgres", 5432, served_by_postgres)
    assert release.started("postgres") == begun


def test_kafka_is_started_again_with_a_renewed_certificate(release: Release) -> None:
    begun = release.started("kafka")
    renew(release, "kafka", 9092)
    assert release.started("kafka") != begun
    release.helm("test", NAME, "--timeout", "5m")
