"""Four thousand calls at once to the real service: each is answered, or asked to try again."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from devstack.stack import Stack
from tests.support import trust
from tests.support.shop import PRICE, Shop

CALLS = 4000
CHANNELS = 50
AGAIN = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}


@pytest.mark.parametrize("method", ["CreateOrder", "GetOrder", "WatchOrder"])
async def test_every_call_of_a_burst_is_answered_or_may_try_again(stack: Stack, shop: Shop, method: str) -> None:
    address, product = stack.service("order_svc").grpc, shop.product(stock=2 * CALLS)
    metadata = trust.metadata(address)
    order = shop.final(shop.place(product))
    requests = {
        "CreateOrder": order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=PRICE),
        "GetOrder": order_pb2.GetOrderRequest(order_id=order.order_id),
        "WatchOrder": order_pb2.WatchOrderRequest(order_id=order.order_id),
    }

    async def one(channel: grpc.aio.Channel) -> grpc.StatusCode:
        stub = order_pb2_grpc.OrderServiceStub(channel)
        call = getattr(stub, method)(requests[method], timeout=90, metadata=metadata)
        if method == "WatchOrder":  # a stream's status comes after its messages
            with suppress(grpc.aio.AioRpcError):
                async for _ in call:
                    pass
        code: grpc.StatusCode = await call.code()
        return code

    async with AsyncExitStack() as opened:
        channels = [
            await opened.enter_async_context(trust.aio_channel(address, [("grpc.use_local_subchannel_pool", 1)]))
            for _ in range(CHANNELS)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        codes = Counter(await asyncio.gather(*(one(channels[n % CHANNELS]) for n in range(CALLS))))
    assert codes.keys() <= {grpc.StatusCode.OK, *AGAIN}, codes
    assert codes[grpc.StatusCode.OK] > CALLS / 2, codes
