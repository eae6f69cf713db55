"""What a client of Order Saga should have beside the stubs: options for its channel, and orders placed once.

::

    with grpc.insecure_channel("127.0.0.1:50051", options=CHANNEL_OPTIONS) as channel:
        orders = OrderServiceStub(channel)
        order = place(orders, CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000))
        for update in watch(orders, order.order_id):
            print(OrderStatus.Name(update.status))
"""

from ordersaga_client.channel import CHANNEL_OPTIONS, SERVICE_CONFIG
from ordersaga_client.orders import place, watch, with_request_id

__all__ = ["CHANNEL_OPTIONS", "SERVICE_CONFIG", "place", "watch", "with_request_id"]
