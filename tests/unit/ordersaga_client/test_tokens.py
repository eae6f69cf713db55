"""A client's token comes from a file, a variable or an issuer, and each call carries it."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import grpc
import pytest
from ordersaga.order.v1 import order_pb2 as pb
from ordersaga.order.v1 import order_pb2_grpc
from ordersaga_client import ClientCredentials, TokenError, token_from_environment, watch, with_token

from tests.support.served import served

OIDC = {"ORDERSAGA_OIDC_CLIENT_ID": "the shop", "ORDERSAGA_OIDC_CLIENT_SECRET": "a:secret"}


class Issuer:
    """An issuer's token endpoint."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.answer: tuple[int, object] = (200, {"access_token": "one", "token_type": "bearer", "expires_in": 3600})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    running = Issuer()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            running.asked.append((self.headers["Authorization"], form))
            code, said = running.answer
            self.send_response(code)
            if code == 302:
                self.send_header("Location", running.url)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    running.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    yield running
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "TOKEN_FILE", "OIDC_TOKEN_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_SCOPE"):
        monkeypatch.delenv(f"ORDERSAGA_{name}", raising=False)


class Orders(order_pb2_grpc.OrderServiceServicer):
    """Notes the tokens that come."""

    def __init__(self) -> None:
        self.tokens: list[object] = []

    def _note(self, context: grpc.ServicerContext) -> None:
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))

    def GetOrder(self, _: object, context: grpc.ServicerContext) -> pb.GetOrderResponse:  # noqa: N802 - gRPC's name
        self._note(context)
        return pb.GetOrderResponse()

    def WatchOrder(self, _: object, context: grpc.ServicerContext) -> Iterator[pb.WatchOrderResponse]:  # noqa: N802
        self._note(context)
        yield pb.WatchOrderResponse()

    def CreateOrders(  # noqa: N802
        self, lists: Iterator[object], context: grpc.ServicerContext
    ) -> Iterator[pb.CreateOrdersResponse]:
        self._note(context)
        for _ in lists:
            yield pb.CreateOrdersResponse()


def test_every_kind_of_call_carries_the_token_of_its_moment() -> None:
    servicer = Orders()  # type: ignore[abstract] # the other methods are not called
    tokens = iter(["one", "two", "three"])
    with served(servicer) as address, with_token(grpc.insecure_channel(address), lambda: next(tokens)) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)
        orders.GetOrder(pb.GetOrderRequest(), timeout=10)
        list(orders.WatchOrder(pb.WatchOrderRequest(), timeout=10))
        list(orders.CreateOrders(iter([pb.CreateOrdersRequest()]), timeout=10))
    assert servicer.tokens == ["Bearer one", "Bearer two", "Bearer three"]


def test_a_token_that_cannot_be_had_fails_the_call_with_the_reason() -> None:
    def none() -> str:
        raise TokenError("no token today")

    servicer = Orders()  # type: ignore[abstract] # the other methods are not called
    with served(servicer) as address, with_token(grpc.insecure_channel(address), none) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)
        with pytest.raises(TokenError, match="no token today"):
            orders.GetOrder(pb.GetOrderRequest(), timeout=10)
        with pytest.raises(TokenError, match="no token today"):
            list(orders.WatchOrder(pb.WatchOrderRequest(), timeout=10))
    assert servicer.tokens == []


def test_without_a_source_there_is_no_token() -> None:
    assert token_from_environment() is None


def test_a_file_goes_before_the_variables_and_is_read_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, other = tmp_path / "token", tmp_path / "other"
    file.write_text("from-the-file\n")
    other.write_text("from-the-other\n")
    monkeypatch.setenv("ORDERSAGA_TOKEN_FILE", str(other))
    found = [token_from_environment()]
    monkeypatch.setenv("ORDERSAGA_TOKEN", " from-the-variable\n")
    found += [token_from_environment(), token_from_environment(str(file))]
    assert [source() for source in found if source] == ["from-the-other", "from-the-variable", "from-the-file"]
    file.write_text("renewed")
    assert found[2] is not None
    assert found[2]() == "renewed"


@pytest.mark.parametrize("content", ["", "two words", None])
def test_a_file_without_a_token_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    source = token_from_environment(str(file))
    assert source is not None
    with pytest.raises(TokenError, match=str(file)):
        source()


def test_an_issuer_is_asked_once_while_its_token_is_good(monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> None:
    for name, value in {**OIDC, "ORDERSAGA_OIDC_TOKEN_URL": issuer.url, "ORDERSAGA_OIDC_SCOPE": "a b"}.items():
        monkeypatch.setenv(name, value)
    source = token_from_environment()
    assert source is not None
    assert [source(), source()] == ["one", "one"]
    ((authorization, form),) = issuer.asked
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"the+shop:a%3Asecret"
    assert form == {"grant_type": ["client_credentials"], "scope": ["a b"]}


def test_a_token_is_renewed_before_it_expires(issuer: Issuer) -> None:
    source = ClientCredentials(issuer.url, "id", "secret")
    issuer.answer = (200, {"access_token": "short", "token_type": "Bearer", "expires_in": 0})
    assert source() == "short"
    issuer.answer = (200, {"access_token": "long", "token_type": "Bearer"})
    assert [source(), source(), len(issuer.asked)] == ["long", "long", 2]


@pytest.mark.parametrize(
    "answer", [(401, {"error": "invalid_client"}), (200, {}), (200, []), (200, {"access_token": 7}), (302, {})], ids=str
)
def test_an_issuer_that_gives_none_is_named_and_its_redirection_is_not_followed(
    issuer: Issuer, answer: tuple[int, object]
) -> None:
    issuer.answer = answer
    with pytest.raises(TokenError, match=issuer.url):
        ClientCredentials(issuer.url, "id", "secret")()
    assert len(issuer.asked) == 1


def test_half_of_the_settings_name_the_other_half(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OIDC.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TokenError, match=r"^ORDERSAGA_OIDC_TOKEN_URL: must be set too"):
        token_from_environment()


@pytest.mark.parametrize(
    "url", ["http://issuer.example/token", "http://127.0.0.1.example/token", "ftp://127.0.0.1/t", ""]
)
def test_a_secret_is_not_sent_in_clear_text(url: str) -> None:
    with pytest.raises(TokenError, match="https"):
        ClientCredentials(url, "id", "secret")


@pytest.mark.parametrize(
    "url",
    [r"http://evil\@127.0.0.1/t", "http://evil@127.0.0.1/t", "https://a:geheim@issuer/t", "http://127.0.0.1\t.evil/t"],
    ids=ascii,
)
def test_a_secret_is_not_sent_where_two_readers_may_read_the_address_otherwise(url: str) -> None:
    with pytest.raises(TokenError, match="https") as refused:
        ClientCredentials(url, "id", "secret")
    assert "geheim" not in str(refused.value)


class Expiring(Orders):
    """Ends each stream by the expiry of its token, until a token is ``good``."""

    def WatchOrder(self, _: object, context: grpc.ServicerContext) -> Iterator[pb.WatchOrderResponse]:  # noqa: N802
        self._note(context)
        if self.tokens[-1] == "Bearer good":
            yield pb.WatchOrderResponse(order=pb.Order(order_id=1, status=pb.ORDER_STATUS_COMPLETED))
        elif self.tokens[-1] == "Bearer short":
            yield pb.WatchOrderResponse(order=pb.Order(order_id=1, status=pb.ORDER_STATUS_PENDING))
        if self.tokens[-1] != "Bearer good":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token has expired")


def watched(servicer: Expiring, *tokens: str) -> list[pb.OrderStatus.ValueType]:
    given = iter(tokens)
    with served(servicer) as address, with_token(grpc.insecure_channel(address), lambda: next(given)) as channel:
        return [order.status for order in watch(order_pb2_grpc.OrderServiceStub(channel), 1, timeout=30)]


def test_a_watch_whose_token_expires_goes_on_with_another() -> None:
    servicer = Expiring()  # type: ignore[abstract] # the other methods are not called
    assert watched(servicer, "short", "short", "good") == [pb.ORDER_STATUS_PENDING, pb.ORDER_STATUS_COMPLETED]


def test_a_watch_whose_token_is_no_good_ends() -> None:
    servicer = Expiring()  # type: ignore[abstract] # the other methods are not called
    with pytest.raises(grpc.RpcError):
        watched(servicer, "short", "bad", "good")
    assert servicer.tokens == ["Bearer short", "Bearer bad"]
