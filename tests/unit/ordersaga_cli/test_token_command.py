"""A token for development is made by a key in a file, and goes with each call; never in clear text to elsewhere."""

from pathlib import Path

import pytest
from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from ordersaga_cli.tokens import OPERATOR, USER
from sagakit.errors import Denied, Unauthenticated
from sagakit.rpc.keys import Keys, from_file
from sagakit.rpc.scopes import scopes_of
from sagakit.rpc.tokens import Tokens
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.services import Services, serving


def verifier(folder: Path, issuer: str = "ordersaga-development", audience: str = "ordersaga") -> Tokens:
    return Tokens(Keys(lambda: from_file(str(folder / "jwks.json"))), issuer=issuer, audience=audience)


async def test_the_first_token_makes_the_key_and_all_are_good(tmp_path: Path) -> None:
    first = typed(f"token --key {tmp_path}/key.json --subject 7")
    assert f"AUTH_JWKS_FILE={tmp_path}/jwks.json" in first.err
    second = typed(f"token --key {tmp_path}/key.json --subject ann --operator")
    assert second.err == ""
    verify = verifier(tmp_path)
    user, operator = [await verify.verified(made.out.strip()) for made in (first, second)]
    assert (user.user_id, user.scopes) == (7, frozenset(USER))
    assert (operator.subject, operator.scopes) == ("ann", frozenset(OPERATOR))


async def test_json_says_what_the_token_says(tmp_path: Path) -> None:
    line = f"token --key {tmp_path}/key.json --subject 7 --scope orders:read --issuer me --audience you --json"
    made = typed(line).json
    caller = await verifier(tmp_path, "me", "you").verified(made.pop("token"))
    assert (caller.subject, caller.issuer, sorted(caller.scopes)) == (made["subject"], made["issuer"], made["scopes"])
    assert made["jwks_file"] == str(tmp_path / "jwks.json")


async def test_its_lifetime_ends(tmp_path: Path) -> None:
    made = typed(f"token --key {tmp_path}/key.json --subject 7 --lifetime 0s").out.strip()
    strict = Tokens(
        Keys(lambda: from_file(str(tmp_path / "jwks.json"))),
        issuer="ordersaga-development",
        audience="ordersaga",
        leeway_seconds=0,
    )
    with pytest.raises(Unauthenticated, match="expired"):
        await strict.verified(made)


def test_an_operators_token_has_every_scope_of_the_contracts() -> None:
    modules = (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2)
    services = [one for module in modules for one in module.DESCRIPTOR.services_by_name.values()]
    asked = {name for service in services for name in scopes_of(service, scope).values()}
    assert set(OPERATOR) == asked | {"orders:any"}


def test_a_file_that_holds_another_thing_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text("precious")
    done = typed(f"token --key {file} --subject 7")
    assert (done.code, file.read_text()) == (1, "precious")
    assert f"{file} holds no private key" in done.err


def test_a_key_that_others_may_write_signs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    assert typed(f"token --key {file} --subject 7").code == 0
    file.chmod(0o622)
    done = typed(f"token --key {file} --subject 7")
    assert (done.code, done.out) == (1, "")
    assert f"{file} is not believed: other users of this machine may write it" in done.err


def test_operator_and_scope_contradict_each_other(tmp_path: Path) -> None:
    assert typed(f"token --key {tmp_path}/key.json --subject 7 --operator --scope orders:read").code == 2


@pytest.mark.parametrize("scope", ["products:reed", "", "orders:read orders:write"])
def test_a_scope_that_opens_nothing_is_refused_with_those_that_there_are(tmp_path: Path, scope: str) -> None:
    done = typed(f"token --key {tmp_path}/key.json --subject 7 --scope orders:read --scope '{scope}'")
    assert (done.code, done.out, list(tmp_path.iterdir())) == (2, "", [])
    assert f"'{scope}' is not one of" in done.err
    assert [known for known in OPERATOR if repr(known) not in done.err] == []


@pytest.mark.parametrize("line", ["order get 42", "saga show 42", "order watch 42"])
def test_a_token_goes_with_each_call(tmp_path: Path, line: str) -> None:
    services = Services(GetOrder=order_pb2.GetOrderResponse(), GetSaga=orchestrator_pb2.GetSagaResponse())
    file = tmp_path / "token"
    file.write_text("from-the-file")
    with serving(services) as address:
        typed(line, {**at(address), "ORDERSAGA_TOKEN": "from-the-variable"})
        typed(f"{line} --token-file {file}", {**at(address), "ORDERSAGA_TOKEN": "from-the-variable"})
        typed(line, at(address))
    assert services.tokens == ["Bearer from-the-variable", "Bearer from-the-file", None]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1:50051",
        "127.0.0.1.example:50051",
        "localhost.example:1",
        "dns:///h:1",
        "::1:5005",  # without brackets all of it is an address, of another machine
        "]::1[:50051",
    ],
)
def test_a_token_is_not_sent_in_clear_text_to_another_machine(address: str) -> None:
    done = typed("order get 42", {**at(address), "ORDERSAGA_TOKEN": "secret"})
    assert (done.code, "clear text" in done.err, "secret" in done.err) == (1, True, False)


def test_what_a_service_says_of_a_token_comes_with_what_to_do() -> None:
    for error, advice in (
        (Unauthenticated("TOKEN_MISSING", "a token is needed"), "set ORDERSAGA_TOKEN or give --token-file"),
        (Denied("SCOPE_MISSING", "the token has not the scope orders:read"), "ask its issuer for that scope"),
    ):
        with serving(Services(GetOrder=error)) as address:
            done = typed("order get 42", at(address))
        assert (done.code, done.err) == (1, f"ordersaga: {error} ({error.reason}); {advice}\n")


def test_a_file_without_a_token_and_half_an_issuer_are_one_sentence(tmp_path: Path) -> None:
    missing = typed(f"order get 42 --token-file {tmp_path}/none", at("127.0.0.1:9"))
    half = typed("order get 42", {**at("127.0.0.1:9"), "ORDERSAGA_OIDC_CLIENT_ID": "x"})
    assert missing.err == f"ordersaga: {tmp_path}/none cannot be read: No such file or directory\n"
    assert half.err == "ordersaga: ORDERSAGA_OIDC_TOKEN_URL, ORDERSAGA_OIDC_CLIENT_SECRET: must be set too\n"


def test_a_watch_goes_on_with_another_token_and_ends_where_there_is_none() -> None:
    """The service ends each stream after one saga; the second has none, as its token had expired before."""
    expired = Unauthenticated("TOKEN_EXPIRED", "the token has expired")
    update = orchestrator_pb2.WatchSagasResponse(saga=orchestrator_pb2.Saga(order_id=42))
    for streams, asked in (([[update, expired], [expired]], 2), ([[expired]], 1)):
        services = Services(WatchSagas=streams)
        with serving(services) as address:
            done = typed("saga watch --json", {**at(address), "ORDERSAGA_TOKEN": "one"})
        assert (done.code, len(done.jsons), len(services.tokens)) == (1, asked - 1, asked)
        assert "TOKEN_EXPIRED" in done.err
