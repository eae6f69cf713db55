"""The gRPC API: ``ordersaga.product.v1.ProductService``."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.product.v1 import product_pb2 as pb
from ordersaga.product.v1 import product_pb2_grpc

from product_svc import movements, store
from product_svc.movements import Listed, Place
from product_svc.stock import Product
from sagakit.errors import AlreadyExists, NotFound
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.rpc.guard import Context
from sagakit.rpc.paging import last_id, last_key, next_page_token, one_page, page_size


class ProductService(product_pb2_grpc.ProductServiceServicer):
    """Translates between proto and products."""

    def __init__(self, database: Database) -> None:
        """Serve the products of ``database``."""
        self._database = database

    async def CreateProduct(self, request: pb.CreateProductRequest, context: Context) -> pb.CreateProductResponse:
        """Add a product."""
        product = await self._database.run(lambda tx: store.create(tx, request.name, request.price, request.stock))
        return pb.CreateProductResponse(product=_proto(product))

    async def GetProduct(self, request: pb.GetProductRequest, context: Context) -> pb.GetProductResponse:
        """Return one product."""
        product = await self._database.run(lambda tx: _existing(tx, request.product_id))
        return pb.GetProductResponse(product=_proto(product))

    async def ListProducts(self, request: pb.ListProductsRequest, context: Context) -> pb.ListProductsResponse:
        """Return one page of products, by ascending id."""
        after, size = last_id("products", (), request.page_token) or 0, page_size(request.page_size)
        products = await self._database.scan(lambda tx: store.find(tx, after=after, limit=size + 1))
        page, more = one_page(map(_proto, products), size)
        token = next_page_token("products", (), page[-1].product_id) if more else ""
        return pb.ListProductsResponse(products=page, next_page_token=token)

    async def RestockProduct(self, request: pb.RestockProductRequest, context: Context) -> pb.RestockProductResponse:
        """Add pieces to a product's stock, once for each request id."""
        product = await self._database.run(lambda tx: _restock(tx, request))
        return pb.RestockProductResponse(product=_proto(product))

    async def ListMovements(self, request: pb.ListMovementsRequest, context: Context) -> pb.ListMovementsResponse:
        """Return one page of what has changed a product's stock, the newest first."""
        key, size = last_key("movements", request.product_id, request.page_token, 3), page_size(request.page_size)
        before = Place(_EPOCH + timedelta(microseconds=key[0]), 1 if key[1] else 0, key[2]) if key else None
        found = await self._database.scan(
            lambda tx: list(movements.find(tx, request.product_id, before=before, limit=size + 1))
        )
        page, more = one_page(map(_movement, found), size)
        token = ""
        if more:
            last = found[len(page) - 1].place
            token = next_page_token("movements", request.product_id, _micros(last.time), last.kind, last.id)
        return pb.ListMovementsResponse(movements=page, next_page_token=token)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _movement(found: Listed) -> pb.Movement:
    create_time, update_time = Timestamp(), Timestamp()
    create_time.FromDatetime(found.create_time)
    update_time.FromDatetime(found.update_time)
    return pb.Movement(
        order_id=found.order_id or 0,
        quantity=found.quantity,
        change=found.change,
        refusal=found.refusal or "",
        undone=found.undone,
        create_time=create_time,
        update_time=update_time,
    )


def _restock(tx: Transaction, request: pb.RestockProductRequest) -> Product:
    request_id = request.request_id.lower() or None
    if not store.lock_shelves(tx, [request.product_id]):
        raise _unknown(request.product_id)
    added = store.restock(tx, request.product_id, request.quantity, request_id)
    if not added and request_id and store.restocked(tx, request_id) != (request.product_id, request.quantity):
        text = f"request_id {request_id} was used for another restock"
        raise AlreadyExists("REQUEST_ID_REUSED", text)
    return _existing(tx, request.product_id)


def _existing(tx: Transaction, product_id: int) -> Product:
    product = store.get(tx, product_id)
    if product is None:
        raise _unknown(product_id)
    return product


def _unknown(product_id: int) -> NotFound:
    return NotFound("PRODUCT_NOT_FOUND", f"there is no product {product_id}")


def _proto(product: Product) -> pb.Product:
    create_time, update_time = Timestamp(), Timestamp()
    create_time.FromDatetime(product.create_time)
    update_time.FromDatetime(product.update_time)
    return pb.Product(
        product_id=product.product_id,
        name=product.name,
        price=product.price,
        stock=product.stock,
        create_time=create_time,
        update_time=update_time,
    )
