"""The console of a release whose callers need a token: two replicas, which know one another's visitors."""

import re
import ssl
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import grpc
import httpx2
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga_client import metadata_of

from ordersaga_cli.tokens import OPERATOR
from sagakit.rpc import local_issuer
from tests.cluster.release import NAME, Release, is_ready
from tests.support.wait import eventually
from tools.chart_readme import CHART

ISSUER, AUDIENCE = "https://issuer.example", "the-shop"
VALUES = {
    "auth.mode": "jwt",
    "auth.issuer": ISSUER,
    "auth.audience": AUDIENCE,
    "auth.jwksSecret": "issuer-keys",
    "console.replicas": "2",
    "console.environment": "staging",
}
KEY = local_issuer.make_key()
READER = tuple(scope for scope in OPERATOR if scope.endswith((":read", ":any")))
pytestmark = pytest.mark.timeout(1200)


def token(scopes: Sequence[str]) -> str:
    return local_issuer.token(KEY, issuer=ISSUER, audience=AUDIENCE, subject="1", scopes=scopes, lifetime_seconds=3600)


@pytest.fixture(scope="module")
def shop() -> Iterator[Release]:
    """The release."""
    given = tuple(f"--set={name}={value}" for name, value in VALUES.items())
    installed = Release(f"order-saga-{uuid.uuid4().hex[:6]}", ("--values", str(CHART / "values" / "ci.yaml"), *given))
    try:
        installed.create()
        installed.make_secret("issuer-keys", {"jwks.json": local_issuer.published(KEY)})
        installed.install()
        yield installed
    finally:
        installed.remove()


@pytest.fixture(scope="module")
def order(shop: Release) -> int:
    """An order that has been placed."""
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000, address="1 Pine Way")
    credentials = grpc.ssl_channel_credentials(shop.authority)
    with shop.forwarded("order-svc", 50051) as address, grpc.secure_channel(address, credentials) as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)
        answer = stub.CreateOrder(request, timeout=20, metadata=metadata_of(token(OPERATOR)))
    return int(answer.order.order_id)


@contextmanager
def replicas(shop: Release) -> Iterator[list[str]]:
    """Yield where each replica of the console is."""
    names = [pod["metadata"]["name"] for pod in shop.pods("console") if is_ready(pod)]
    with ExitStack() as stack:
        yield [f"https://{stack.enter_context(shop.forwarded_to(f'pod/{name}', 8088))}" for name in names]


@pytest.fixture
def browser(shop: Release) -> Iterator[httpx2.Client]:
    """One who believes the release's authority, keeps cookies, and goes where it is led."""
    context = ssl.create_default_context(cadata=shop.authority.decode())
    with (
        shop.forwarded("console", 8088) as address,
        httpx2.Client(verify=context, base_url=f"https://{address}", follow_redirects=True, timeout=30) as client,
    ):
        yield client


def post(browser: httpx2.Client, page: str, path: str, **fields: str) -> httpx2.Response:
    """Send a form of ``page`` to ``path``, as a browser does."""
    (csrf,) = set(re.findall(r'name="csrf" value="(\w+)"', browser.get(page).text))
    return browser.post(path, data={"csrf": csrf, **fields}, headers={"origin": str(browser.base_url).rstrip("/")})


def sign_in(browser: httpx2.Client, scopes: Sequence[str]) -> httpx2.Response:
    """Paste a token, and go on to the overview."""
    return post(browser, "/sign-in", "/sign-in", token=token(scopes), next="/")


def test_who_has_no_token_is_led_to_where_one_is_pasted(browser: httpx2.Client, order: int) -> None:
    for path in ("/", f"/sagas/{order}", "/dead-letters", "/system"):
        answer = browser.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?")
    forged = post(browser, "/sign-in", "/sign-in", token=token(OPERATOR)[:-4] + "AAAA", next="/")
    assert forged.status_code == 401
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_who_pastes_one_sees_the_saga_of_an_order_and_its_messages(browser: httpx2.Client, order: int) -> None:
    overview = sign_in(browser, OPERATOR)
    assert (overview.status_code, overview.url.path) == (200, "/")
    assert "staging" in overview.text

    def completed() -> None:
        assert 's-completed">completed<' in browser.get(f"/sagas/{order}").text

    eventually(completed, 60, every=1)
    messages = browser.get(f"/sagas/{order}/messages").text
    for record in ("OrderCreated", "DecreaseProductCommand", "DeliveryCreated", "CompleteOrderCommand"):
        assert record in messages
    assert "product_id" in messages
    assert "cannot be read" not in messages
    assert "1 Pine Way" not in messages, "addresses are hidden"


def test_it_sees_kafka_s_lags_and_dead_letters_and_every_service(browser: httpx2.Client) -> None:
    sign_in(browser, OPERATOR)

    def looked() -> None:
        system = browser.get("/system").text
        assert system.count(">ready<") == 4
        assert re.search(r'id="topic-create-delivery-command-delivery_svc".*data-label="lag"', system)
        letters = browser.get("/dead-letters").text
        assert "No dead letters" in letters
        assert "cannot be reached" not in system + letters

    eventually(looked, 60, every=1)


def test_who_may_only_read_has_nothing_done(browser: httpx2.Client, order: int) -> None:
    sign_in(browser, READER)
    page = browser.get(f"/sagas/{order}")
    assert page.status_code == 200
    assert f"/sagas/{order}/retry" not in page.text
    refused = post(browser, "/", f"/sagas/{order}/retry")
    assert "lacks the scope sagas:operate" in refused.text


def test_an_operator_has_the_command_sent_again(browser: httpx2.Client, order: int) -> None:
    sign_in(browser, OPERATOR)
    assert "is sent again" in post(browser, f"/sagas/{order}", f"/sagas/{order}/retry").text


def test_each_replica_knows_whom_the_other_has_signed_in(shop: Release, order: int) -> None:
    context = ssl.create_default_context(cadata=shop.authority.decode())
    with replicas(shop) as (one, other), httpx2.Client(verify=context, base_url=one, follow_redirects=True) as client:
        sign_in(client, OPERATOR)
        for address in (one, other, one):
            assert client.get(f"{address}/sagas/{order}", follow_redirects=False).status_code == 200
        client.base_url = httpx2.URL(other)
        assert "is sent again" in post(client, f"{one}/sagas/{order}", f"/sagas/{order}/retry").text


def test_a_restart_signs_nobody_out(shop: Release, browser: httpx2.Client) -> None:
    sign_in(browser, OPERATOR)
    shop.remove_pod("console")
    with replicas(shop) as (one, _):
        assert browser.get(f"{one}/sagas", follow_redirects=False).status_code == 200


def test_it_runs_as_the_chart_says(shop: Release) -> None:
    assert {name: one for name, one in shop.restarts().items() if "console" in name} == {}
    shop.helm("test", NAME, "--timeout", "5m")
