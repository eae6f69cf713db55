"""Two installations on one Kafka by mistake: the second is refused, and its error says what to do."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

import grpc
import pytest
from confluent_kafka import Producer
from ordersaga.order.v1.order_pb2 import CreateOrderRequest
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub

from devstack.errors import DevstackError
from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka import group_owner
from sagakit.kafka.group_owner import ClaimedElsewhere, claim, hand_over, owner_of
from tests.support.by_hand import by_hand
from tests.support.kafka import create_topic, delete_topics, ends
from tests.support.line import Line
from tests.support.scratch import PREFIX, migrated_database
from tests.support.sql import query
from tests.support.wait import eventually

Client: TypeAlias = dict[str, str | int | float | bool]
ONE, OTHER, THIRD = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


@pytest.fixture
def group() -> str:
    return f"{PREFIX}{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(stack: Stack) -> Client:
    return {"bootstrap.servers": stack.bootstrap}


@pytest.fixture
def line(stack: Stack) -> Line:
    return Line(stack)


def installation(dsn: str) -> str:
    ((found,),) = query(dsn, "SELECT installation_id FROM installation")
    return str(found)


def test_who_comes_first_has_the_group_and_who_comes_second_is_refused(client: Client, group: str) -> None:
    assert owner_of(client, group) is None
    for _ in range(3):
        claim(client, group, ONE)
        with pytest.raises(ClaimedElsewhere, match=f"{ONE}.*{OTHER}.*claim {group} {OTHER}"):
            claim(client, group, OTHER)
    assert owner_of(client, group) == ONE


def test_of_several_that_start_at_once_one_has_the_group(client: Client) -> None:
    installations = [ONE, OTHER, THIRD] * 2  # of each two replicas

    def has_it(group: str, installation: str) -> bool:
        try:
            claim(client, group, installation)
        except ClaimedElsewhere:
            return False
        return True

    with ThreadPoolExecutor(len(installations)) as pool:
        for _ in range(5):
            group = f"{PREFIX}{uuid.uuid4().hex[:12]}"
            results = list(pool.map(has_it, [group] * len(installations), installations))
            owner = owner_of(client, group)
            assert results == [installation == owner for installation in installations]


def test_what_compaction_keeps_is_the_claim_that_counts(client: Client, group: str) -> None:
    group_owner._write(client, group, ONE, OTHER)  # noqa: SLF001 - as where the second ended before it saw the first
    with pytest.raises(ClaimedElsewhere):
        claim(client, group, THIRD)
    assert group_owner._read(client, group)[-1] == ONE  # noqa: SLF001 - compaction keeps the last record of a key


def test_a_group_is_handed_over_on_purpose(client: Client, group: str) -> None:
    claim(client, group, ONE)
    hand_over(client, group, OTHER)
    claim(client, group, OTHER)
    with pytest.raises(ClaimedElsewhere):
        claim(client, group, ONE)


def test_a_foreign_transaction_that_is_left_open_hides_no_claim(client: Client, group: str) -> None:
    foreign = Producer({**client, "transactional.id": group})
    foreign.init_transactions(20)
    foreign.begin_transaction()
    foreign.produce(group_owner.TOPIC, key=b"another", value=b"x")
    foreign.flush(10)
    try:
        claim(client, group, ONE)
        with pytest.raises(ClaimedElsewhere):
            claim(client, group, OTHER)
    finally:
        foreign.abort_transaction(20)


def test_while_kafka_does_not_answer_nothing_is_decided(
    client: Client, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_owner, "_ANSWER_SECONDS", 1.0)
    with pytest.raises(Unavailable, match="cannot be read"):
        claim({"bootstrap.servers": "127.0.0.1:1"}, group, ONE)
    monkeypatch.setattr(group_owner, "TOPIC", f"{PREFIX}missing")
    with pytest.raises(Unavailable, match="cannot be read"):
        claim(client, group, ONE)


def test_a_topic_that_is_made_anew_is_claimed_again(
    stack: Stack, client: Client, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_owner, "TOPIC", f"{PREFIX}{uuid.uuid4().hex[:12]}")
    for owner in (ONE, OTHER):
        create_topic(stack.bootstrap, group_owner.TOPIC, config={"cleanup.policy": "compact"})
        claim(client, group, owner)
        assert owner_of(client, group) == owner
        delete_topics(stack.bootstrap, group_owner.TOPIC)


def test_a_second_stacks_service_ends_with_a_line_and_has_put_nothing_into_the_topics(stack: Stack) -> None:
    dsn, ours = migrated_database(stack, "order_svc"), stack.service("order_svc").dsn
    before = ends(stack.bootstrap, "order-created", 6)
    with by_hand("order_svc", dsn, stack=stack) as second, grpc.insecure_channel(second.grpc) as channel:
        wanted = CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000)
        with pytest.raises(grpc.RpcError):
            OrderServiceStub(channel).CreateOrder(wanted, timeout=30, wait_for_ready=True)
        code, log = second.ended()
    assert code == 1
    (line,) = [line for line in log.splitlines() if '"critical"' in line]
    assert installation(dsn) in line
    assert installation(ours) in line
    assert f"claim order_svc {installation(dsn)}" in line
    assert "Traceback" not in log
    assert ends(stack.bootstrap, "order-created", 6) == before
    assert query(dsn, "SELECT count(*) FROM orders") == [(0,)]


def test_a_group_in_use_is_not_handed_over(stack: Stack, line: Line) -> None:
    result = line("claim", "order_svc", OTHER)
    assert (result.code, result.out) == (1, "")
    assert "stop them first" in result.err
    assert owner_of({"bootstrap.servers": stack.bootstrap}, "order_svc") == installation(stack.service("order_svc").dsn)


def test_of_two_services_that_start_at_once_one_comes_up_until_the_group_is_handed_over(
    breakable: Stack, client: Client, line: Line
) -> None:
    service = breakable.service("delivery_svc")
    dsn, ours = migrated_database(breakable, "delivery_svc"), installation(service.dsn)
    service.stop()
    group_owner._write(client, "delivery_svc", None)  # noqa: SLF001 - as if nobody had ever claimed it
    try:
        with by_hand("delivery_svc", dsn, stack=breakable) as second:
            with suppress(DevstackError):  # else the other one was quicker
                service.start()
            if service.pid:
                code, log = second.ended()
                assert code == 1
                assert ours in log
            else:
                assert second.process.poll() is None
                assert second.stop() == 0
        service.stop()
        handed = eventually_handed(line, installation(dsn))
        assert handed == f"delivery_svc belongs to installation {installation(dsn)}\n"
        with pytest.raises(DevstackError, match=f"claim delivery_svc {ours}"):
            service.start()
    finally:
        hand_over(client, "delivery_svc", ours)
    service.start()


def eventually_handed(line: Line, to: str) -> str:
    """Hand delivery_svc over, once its group has no members any more."""

    def try_it() -> str:
        result = line("claim", "delivery_svc", to, "--yes")
        assert result.code == 0, result.err
        out: str = result.out
        return out

    return eventually(try_it, 20)
