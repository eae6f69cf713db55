"""What a client of Order Saga should have beside the stubs: options for its channel, tokens, and orders placed once.

::

    with grpc.insecure_channel("127.0.0.1:50051", options=CHANNEL_OPTIONS) as channel:
        orders = OrderServiceStub(channel)
        order = place(orders, CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000))
        for update in watch(orders, order.order_id):
            print(OrderStatus.Name(update.status))
"""

from ordersaga_client.channel import CHANNEL_OPTIONS, SERVICE_CONFIG
from ordersaga_client.orders import place, watch, with_request_id
from ordersaga_client.tokens import (
    ClientCredentials,
    Token,
    TokenError,
    metadata_of,
    token_from_environment,
    token_in_file,
    with_token,
)

__all__ = [
    "CHANNEL_OPTIONS",
    "SERVICE_CONFIG",
    "ClientCredentials",
    "Token",
    "TokenError",
    "metadata_of",
    "place",
    "token_from_environment",
    "token_in_file",
    "watch",
    "with_request_id",
    "with_token",
]
