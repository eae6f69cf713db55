"""Whether a token is good: the services say so, as the console verifies none itself.

It matters where no service is asked for what is shown: at signing in, and for dead letters, which the console reads by
a login of its own.
"""

import grpc
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.product.v1 import product_pb2

from console_svc.failures import CallFailed
from console_svc.services import Services

_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


async def verify(services: Services, token: str) -> None:
    """See that a service takes ``token``, whatever that lets its holder do; the next is asked where one is away.

    Raises:
        CallFailed: the token is not taken, or no service can be reached.
    """
    products, sagas, deliveries = services.products, services.sagas, services.deliveries
    away: CallFailed | None = None
    for asked in (
        lambda: products.ask(products.stub.ListProducts, product_pb2.ListProductsRequest(page_size=1), token),
        lambda: sagas.ask(sagas.stub.ListSagas, orchestrator_pb2.ListSagasRequest(page_size=1), token),
        lambda: deliveries.ask(deliveries.stub.ListDeliveries, delivery_pb2.ListDeliveriesRequest(page_size=1), token),
    ):
        try:
            await asked()
        except CallFailed as error:
            if error.reason == "SCOPE_MISSING":  # the token was verified first, and lets its holder do something else
                return
            if error.code not in _AWAY or error.reason:
                raise
            away = error
        else:
            return
    if away:
        raise away
