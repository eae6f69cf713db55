"""Callers who take all that they can of a closed stack: none of them takes it from the others."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from devstack.services import Service
from devstack.stack import Stack
from ordersaga_cli.tokens import OPERATOR, USER
from tests.support import trust
from tests.support.attack import (
    Buyer,
    address_of,
    another,
    by,
    channel_through,
    connections,
    memory,
    open_streams,
)
from tests.support.closed import Closed, closed
from tests.support.issuer import assembled, good_claims
from tests.support.proxy import Proxy
from tests.support.rpc import refusal_of_aio
from tests.support.shop import new_user
from tests.support.still_reader import StillReader
from tests.support.stored_rows import stored_orders, stored_sagas
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

STREAMS = 500
"""That one caller may have open at once, where nobody says otherwise."""
MEMORY = STREAMS * 200_000
"""Bytes that the streams of one caller may cost a service, generously."""
SEEN_SECONDS = 60.0
"""Until one watch of sagas has seen what hundreds of others are told of as well, on a machine that does more."""
DROPPED_SECONDS = 60
WATCH = "/ordersaga.order.v1.OrderService/WatchOrder"
WATCH_SAGAS = "/ordersaga.orchestrator.v1.OrchestratorService/WatchSagas"
CREATE = "/ordersaga.order.v1.OrderService/CreateOrder"
CLIENT = """
import sys
import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

address, ca, token, order_id, count = sys.argv[1:]
with open(ca, "rb") as file, grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read())) as channel:
    orders = order_pb2_grpc.OrderServiceStub(channel)
    request, metadata = order_pb2.WatchOrderRequest(order_id=int(order_id)), [("authorization", "Bearer " + token)]
    streams = [orders.WatchOrder(request, metadata=metadata) for _ in range(int(count))]
    for stream in streams:
        next(stream)
    print("open", flush=True)
    sys.stdin.read()
"""
"""A program that watches an order so many times, as long as it is let."""


@pytest.fixture(scope="module")
def services(closed_stack: Stack) -> Iterator[Closed]:
    with closed(closed_stack) as running:
        yield running


@pytest.fixture(scope="module")
def buyer(services: Closed) -> Iterator[Buyer]:
    with another(services) as buyer:
        buyer.buys()  # so that her token is known, and there is a saga
        yield buyer


async def begun(stream: Any) -> str:
    """Read a stream's first answer; return why it was refused, with when to come again, or that it is open."""
    try:
        await stream.read()
    except grpc.aio.AioRpcError as error:
        refused = refusal_of_aio(error)
        return f"{refused.code.name} {refused.reason}{' later' if refused.retry_seconds else ''}"
    return "open"


async def test_ten_thousand_watches_of_one_caller_end_at_the_quota(
    services: Closed, closed_stack: Stack, buyer: Buyer
) -> None:
    service, user = services.service("order_svc"), new_user()
    token, found, watching = services.issuer.token(str(user), *USER), Counter[str](), []
    with stored_orders(closed_stack, 1, user, "PENDING") as (order_id,):
        async with channel_through(address_of(service), service) as channel:
            watch: Any = channel.unary_stream(WATCH, order_pb2.WatchOrderRequest.SerializeToString)
            before = memory(service)
            for _ in range(25):
                more = [watch(order_pb2.WatchOrderRequest(order_id=order_id), **by(token)) for _ in range(400)]
                watching += more
                found.update(await asyncio.gather(*map(begun, more)))
                await asyncio.to_thread(buyer.buys)
            assert await asyncio.to_thread(open_streams, service, "WatchOrder") == STREAMS
            assert memory(service) - before < MEMORY
    assert found == {"open": STREAMS, "RESOURCE_EXHAUSTED TOO_MANY_STREAMS later": 10_000 - STREAMS}


def test_lists_that_scan_leave_room_for_orders(services: Closed, closed_stack: Stack, buyer: Buyer) -> None:
    """Ten callers read through all that is stored, again and again."""
    completed = order_pb2.ListOrdersRequest(status=order_pb2.ORDER_STATUS_COMPLETED, page_size=1000)
    old = orchestrator_pb2.ListSagasRequest(min_age=Duration(seconds=10**8), page_size=1000)
    over, listed = threading.Event(), Counter[str]()

    def list_for_ever(name: str, call: Any, request: object) -> None:
        while not over.is_set():
            call(request, timeout=120)
            listed[name] += 1

    with (
        stored_orders(closed_stack, 50_000, new_user()),
        stored_sagas(closed_stack, 50_000, under_way=False),
        services.operator() as shop,
        ThreadPoolExecutor(20) as pool,
    ):
        lists = {"orders": (shop.orders.ListOrders, completed), "sagas": (shop.sagas.ListSagas, old)}
        listing = [pool.submit(list_for_ever, name, *call) for name, call in lists.items() for _ in range(10)]
        try:
            for _ in range(30):
                buyer.buys()
        finally:
            over.set()
        for one in listing:
            one.result()
    assert listed.keys() == lists.keys()


@contextmanager
def flooded(services: Closed, service: Service) -> Iterator[Counter[str]]:
    """Send forged tokens from 127.0.0.2, sixty-four at a time, until the block ends; count how they are refused."""
    over, found = threading.Event(), Counter[str]()

    async def forge(create: Any, lane: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            header = {"alg": "ES256", "kid": services.issuer.key.kid, "jti": f"{lane}-{number}"}
            forged = assembled(header, good_claims(), b"x" * 64)
            try:
                await create(b"", **by(forged))
            except grpc.aio.AioRpcError as error:
                found[refusal_of_aio(error).reason] += 1

    async def flood() -> None:
        async with (
            Proxy(lambda: address_of(service), source="127.0.0.2") as elsewhere,
            channel_through(elsewhere.address, service) as channel,
        ):
            await asyncio.gather(*(forge(channel.unary_unary(CREATE), lane) for lane in range(64)))

    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(asyncio.run, flood())
        try:
            yield found
        finally:
            over.set()
        flooding.result()


def test_a_flood_of_forged_tokens_is_not_looked_at_and_callers_are_answered(services: Closed, buyer: Buyer) -> None:
    service = services.service("order_svc")
    began = time.monotonic()
    with flooded(services, service) as refused:
        for _ in range(20):
            buyer.buys()
        with another(services) as newcomer:  # whose token has to be verified
            newcomer.buys()
    took = time.monotonic() - began
    assert refused.keys() <= {"TOKEN_INVALID", "TOO_MANY_BAD_TOKENS"}
    assert 0 < refused["TOKEN_INVALID"] <= 1000 + 500 * (took + 1), "as many as an address may have verified"


@contextmanager
def watched_sagas(services: Closed) -> Iterator[set[int]]:
    """Let another operator watch meanwhile; keep the ids of the orders whose sagas are seen to complete."""
    completed = set[int]()
    with services.operator("another") as operator:
        watching: Any = operator.sagas.WatchSagas(orchestrator_pb2.WatchSagasRequest(), timeout=120)

        def watch() -> None:
            with suppress(grpc.RpcError):  # it is cancelled in the end
                for answer in watching:
                    if answer.saga.status == orchestrator_pb2.SAGA_STATUS_COMPLETED:
                        completed.add(answer.saga.order_id)

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(watch)
            try:
                yield completed
            finally:
                watching.cancel()
        reading.result()


def must_see(completed: set[int], bought: set[int]) -> None:
    assert bought <= completed


def must_see_what_is_bought(completed: set[int], buyer: Buyer) -> None:
    bought = {buyer.buys() for _ in range(20)}
    eventually(lambda: must_see(completed, bought), SEEN_SECONDS)


@pytest.mark.parametrize("method", [WATCH, WATCH_SAGAS], ids=["order", "sagas"])
async def test_who_does_not_read_a_stream_is_ended_and_takes_bounded_memory(
    services: Closed, closed_stack: Stack, buyer: Buyer, method: str
) -> None:
    name, user = method.rpartition("/")[2], new_user()
    service = services.service("order_svc" if method == WATCH else "orchestrator_svc")
    token = services.issuer.token(str(user), *(USER if method == WATCH else OPERATOR))
    others, authority = int(method == WATCH_SAGAS), trust.certificate_of(service.grpc)
    assert authority is not None

    def must_be_open(count: int) -> None:
        assert open_streams(service, name) == count

    placed = set[int]()

    def one_is_seen() -> None:
        placed.add(buyer.buys())  # the first may be over before the watch begins
        assert placed & completed

    with (
        stored_orders(closed_stack, 1, user, "PENDING") as (order_id,),
        stored_sagas(closed_stack, 1000, under_way=True),
        watched_sagas(services) as completed,
    ):
        await asyncio.to_thread(eventually, one_is_seen, every=0.5)
        request = order_pb2.WatchOrderRequest(order_id=order_id) if method == WATCH else None
        async with StillReader(address_of(service), authority, token) as still:
            before = memory(service)
            for _ in range(STREAMS):
                still.call(method, request.SerializeToString() if request else b"")
            await asyncio.to_thread(eventually, partial(must_be_open, STREAMS + others))
            await asyncio.to_thread(must_see_what_is_bought, completed, buyer)
            assert memory(service) - before < MEMORY
            await asyncio.to_thread(eventually, partial(must_be_open, others), DROPPED_SECONDS)
            assert still.read == 0


async def test_clients_that_vanish_or_stand_still_are_dropped_within_a_minute(
    services: Closed, closed_stack: Stack
) -> None:
    service, user = services.service("order_svc"), new_user()
    token, before = services.issuer.token(str(user), *USER), connections(service)

    def must_be_open(streams: int, most_connections: int) -> None:
        assert open_streams(service, "WatchOrder") == streams
        assert connections(service) <= most_connections

    with stored_orders(closed_stack, 1, user, "PENDING") as (order_id,):
        arguments = [service.grpc, str(closed_stack.security.ca), token, str(order_id), "20"]
        async with (
            Proxy(lambda: address_of(service)) as network,
            channel_through(network.address, service) as channel,
        ):
            watch: Any = channel.unary_stream(WATCH, order_pb2.WatchOrderRequest.SerializeToString)
            streams = [watch(order_pb2.WatchOrderRequest(order_id=order_id), **by(token)) for _ in range(20)]
            assert [await begun(stream) for stream in streams] == ["open"] * 20
            with started(arguments) as client:
                await asyncio.to_thread(must_be_open, 40, before + 2)
                network.hang()
                client.send_signal(signal.SIGSTOP)
                await asyncio.to_thread(eventually, partial(must_be_open, 0, before), DROPPED_SECONDS)


@contextmanager
def started(arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run `CLIENT` until the block ends; begin the block when its streams are open."""
    command = [sys.executable, "-c", CLIENT, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()
