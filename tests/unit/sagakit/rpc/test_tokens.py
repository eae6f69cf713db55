"""A token counts where the issuer has signed it, for us, for now; whatever else it is, the caller is unknown."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sagakit.errors import Unauthenticated
from sagakit.rpc import local_issuer
from sagakit.rpc.callers import ANYONE, Caller
from sagakit.rpc.keys import Keys
from sagakit.rpc.tokens import EXPIRED, INVALID, NOT_YET_VALID, Tokens
from tests.support.issuer import AUDIENCE, ISSUER, assembled, good_claims, signed

KEY = local_issuer.make_key()
KEYS_OF_ALL_KINDS: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048, auto_kid=True),
    "ES256": ECKey.generate_key("P-256", auto_kid=True),
    "EdDSA": OKPKey.generate_key("Ed25519", auto_kid=True),
}


def tokens(*keys: Any, clock: Callable[[], float] = time.time, **settings: Any) -> Tokens:
    document = json.dumps({"keys": [key.as_dict(private=False) for key in keys or (KEY,)]}).encode()
    return Tokens(Keys(lambda: document), issuer=ISSUER, audience=AUDIENCE, clock=clock, **settings)


async def refused(token: str, verifier: Tokens | None = None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await (verifier or tokens()).verified(token)
    return caught.value.reason


async def test_a_token_says_who_calls_and_what_the_caller_may() -> None:
    caller = await tokens().verified(signed(KEY, "7", "books:read", "books:write"))
    assert (caller.subject, caller.issuer, caller.user_id) == ("7", ISSUER, 7)
    assert (caller.may("books:read"), caller.may("books:any")) == (True, False)


@pytest.mark.parametrize("algorithm", KEYS_OF_ALL_KINDS)
async def test_the_three_algorithms_are_taken(algorithm: str) -> None:
    key = KEYS_OF_ALL_KINDS[algorithm]
    token = signed_by(key, algorithm)
    assert (await tokens(*KEYS_OF_ALL_KINDS.values()).verified(token)).subject == "7"


def signed_by(key: Any, algorithm: str, **header: object) -> str:
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.get_alg = lambda name: registry.algorithms[name]  # type: ignore[method-assign] # it warns of EdDSA's old name
    claims = json.dumps(good_claims())
    return jws.serialize_compact({"alg": algorithm, "kid": key.kid, **header}, claims, key, registry=registry)


async def test_a_token_without_a_signature_is_refused() -> None:
    for name in ("none", "None", "NONE", "nOnE"):
        assert await refused(assembled({"alg": name, "kid": KEY.kid}, good_claims())) == INVALID


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "x"])
async def test_a_public_key_is_no_shared_secret(form: str) -> None:
    """HS256 signed with the public key: a verifier that believes the token's algorithm takes it."""
    secrets = {
        "pem": KEY.as_pem(private=False),
        "der": KEY.as_der(private=False),
        "jwk": json.dumps(KEY.as_dict(private=False)).encode(),
        "x": str(KEY.as_dict(private=False)["x"]).encode(),
    }
    unsigned = assembled({"alg": "HS256", "kid": KEY.kid, "typ": "JWT"}, good_claims()).rstrip(".")
    mac = hmac.new(secrets[form], unsigned.encode(), hashlib.sha256).digest()
    header, claims, signature = assembled({"alg": "HS256", "kid": KEY.kid, "typ": "JWT"}, good_claims(), mac).split(".")
    assert f"{header}.{claims}" == unsigned
    assert await refused(f"{header}.{claims}.{signature}") == INVALID


async def test_a_key_serves_its_own_algorithm_alone() -> None:
    """An RSA key also verifies PS256 and RS512, which nobody has asked for."""
    key = KEYS_OF_ALL_KINDS["RS256"]
    for algorithm in ("PS256", "RS512"):
        assert await refused(signed_by(key, algorithm), tokens(key)) == INVALID


async def test_another_keys_signature_is_refused_though_it_takes_the_known_keys_id() -> None:
    other = ECKey.import_key({**local_issuer.make_key().as_dict(private=True), "kid": KEY.kid})  # type: ignore[dict-item]
    assert await refused(signed(other)) == INVALID


async def test_a_key_that_the_token_brings_along_is_not_believed() -> None:
    other = local_issuer.make_key()
    assert await refused(signed_by(other, "ES256", jwk=other.as_dict(private=False))) == INVALID


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.example"}, INVALID),
        ({"iss": ISSUER + "/"}, INVALID),
        ({"iss": [ISSUER]}, INVALID),
        ({"aud": "another"}, INVALID),
        ({"aud": ["another", "a third"]}, INVALID),
        ({"aud": {AUDIENCE: 1}}, INVALID),
        ({"exp": 1_000_000_000}, EXPIRED),
        ({"exp": None}, INVALID),
        ({"exp": "never"}, INVALID),
        ({"exp": True}, INVALID),
        ({"exp": float("nan")}, INVALID),
        ({"exp": float("inf")}, INVALID),
        ({"exp": 10**400}, INVALID),
        ({"nbf": 10_000_000_000}, NOT_YET_VALID),
        ({"nbf": "now"}, INVALID),
        ({"sub": ""}, INVALID),
        ({"sub": None}, INVALID),
        ({"sub": "a" * 81}, INVALID),
        ({"sub": "7\0"}, INVALID),
        ({"sub": "7\n(somebody else)"}, INVALID),
        ({"scope": {"books:any": True}}, INVALID),
        ({"scope": [["books:any"]]}, INVALID),
    ],
    ids=repr,
)
async def test_a_token_for_others_or_for_another_time_is_refused(claims: dict[str, object], reason: str) -> None:
    assert await refused(signed(KEY, **claims)) == reason  # type: ignore[arg-type]


async def test_a_token_without_a_time_of_expiry_is_refused() -> None:
    claims = good_claims()
    del claims["exp"]
    token = jws.serialize_compact({"alg": "ES256", "kid": KEY.kid}, json.dumps(claims), KEY)
    assert await refused(token) == INVALID


@pytest.mark.parametrize("header", [{"typ": "logout+jwt"}, {"typ": 7}, {"crit": ["b64"], "b64": False}, {"b64": True}])
async def test_what_is_no_access_token_is_refused(header: dict[str, Any]) -> None:
    claims = json.dumps(good_claims()).encode()
    signed_part = assembled({"alg": "ES256", "kid": KEY.kid, **header}, claims).rstrip(".")
    algorithm = jws.JWSRegistry.algorithms["ES256"]
    signature = algorithm.sign(signed_part.encode(), KEY)
    token = assembled({"alg": "ES256", "kid": KEY.kid, **header}, claims, signature)
    assert await refused(token) == INVALID


@pytest.mark.parametrize("name", ["alg", "kid"])
@pytest.mark.parametrize("value", [None, 7, ["ES256"], {}, "x" * 5000])
async def test_a_strange_header_is_refused(name: str, value: object) -> None:
    assert await refused(assembled({"alg": "ES256", "kid": KEY.kid, name: value}, good_claims(), b"x" * 64)) == INVALID


async def test_text_that_is_no_token_is_refused() -> None:
    deep = assembled({}, b"[" * 4000)
    for text in ("", ".", "..", "a.b.c", "ü.ü.ü", "eyJ.eyJ.", "x" * 9000, deep, signed(KEY) + ".x", signed(KEY)[:-3]):
        assert await refused(text) == INVALID, text[:30]


@given(st.text(max_size=200) | st.binary(max_size=200).map(bytes.hex) | st.just(signed(KEY)).map(lambda text: text[5:]))
async def test_no_text_does_worse_than_be_refused(text: str) -> None:
    assert await refused(text) == INVALID


async def test_clocks_may_differ_by_the_leeway() -> None:
    lenient, strict = tokens(leeway_seconds=30), tokens(leeway_seconds=0)
    late, early = signed(KEY, exp=time.time() - 20), signed(KEY, nbf=time.time() + 20)
    for token, reason in ((late, EXPIRED), (early, NOT_YET_VALID)):
        assert (await lenient.verified(token)).subject == "7"
        assert await refused(token, strict) == reason


async def test_a_token_that_is_remembered_expires_all_the_same() -> None:
    now = time.time()
    verifier = tokens(clock=lambda: now, leeway_seconds=10)
    token = signed(KEY, exp=now + 60)
    assert (await verifier.verified(token)).expires == pytest.approx(now + 70)
    now += 69
    assert await verifier.remembered(token)
    now += 2
    with pytest.raises(Unauthenticated) as caught:
        await verifier.remembered(token)
    assert caught.value.reason == EXPIRED


async def test_the_user_is_a_positive_number_or_nobody() -> None:
    nobody = [
        "",
        "ann",
        "-7",
        "7.0",
        "\u0667",
        " 7",
        "007",
        "0",
        7.0,
        True,
        None,
        0,
        -7,
        [7],
        2**63,
        str(2**63),
        10**400,
    ]
    users = [(str(number), number) for number in (7, 2**63 - 1)] + [(7, 7)]
    for value, user in [*users, *((value, None) for value in nobody)]:
        caller = await tokens(user_claim="user").verified(signed(KEY, "ann", user=value))
        assert (caller.subject, caller.user_id) == ("ann", user), repr(value)


@pytest.mark.parametrize("claims", [{"scope": ["a", "b"]}, {"scope": "a b"}, {"scp": "a b"}, {"scp": ["a", "b"]}])
async def test_scopes_are_a_text_or_a_list(claims: dict[str, object]) -> None:
    said = good_claims(**claims)
    if "scp" in claims:
        del said["scope"]
    token = jws.serialize_compact({"alg": "ES256", "kid": KEY.kid}, json.dumps(said), KEY)
    assert (await tokens().verified(token)).scopes == {"a", "b"}


@pytest.mark.parametrize("between", ["\t", "\n", "\x1f", "\u00a0", "\u2003"], ids=ascii)
async def test_one_scope_with_an_odd_name_is_not_two(between: str) -> None:
    scope = f"a{between}orders:any"
    assert (await tokens().verified(signed(KEY, scope=f"b  {scope}"))).scopes == {"b", scope}


async def test_the_reason_given_to_the_client_does_not_say_what_is_wrong_with_a_forged_token() -> None:
    said = set()
    for token in (signed(local_issuer.make_key()), signed(KEY, iss="x"), signed(KEY, aud="x"), signed(KEY)[:-3]):
        with pytest.raises(Unauthenticated) as caught:
            await tokens().verified(token)
        said.add(str(caught.value))
    assert len(said) == 1


async def test_no_more_than_ten_thousand_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sagakit.rpc.tokens._MOST_REMEMBERED", 10)
    verifier = tokens()
    for subject in range(1, 31):
        await verifier.verified(signed(KEY, str(subject)))
    assert len(verifier._remembered) == 10  # noqa: SLF001 - memory has no other face


async def test_a_token_that_was_verified_is_remembered_and_no_other() -> None:
    verifier, token = tokens(), signed(KEY)
    assert (await verifier.remembered(token)) is None
    first = await verifier.verified(token)
    assert (await verifier.remembered(token)) is first
    assert (await verifier.remembered(token[:-4])) is None


LONG = "https://issuer.example/realms/a-realm-with-quite-a-long-name/that-goes-on-and-on/and-on/and-on/and-on"


@pytest.mark.parametrize("subject", ["7", "a" * 80])
@pytest.mark.parametrize("issuer", [ISSUER, LONG])
def test_a_name_holds_the_subject_whole_and_fits_into_a_history(subject: str, issuer: str) -> None:
    name = Caller(subject, issuer).name
    assert len(name) <= 100
    assert name.startswith(f"{subject} (https://issuer.")


def test_in_a_history_who_acts_is_who_the_token_says_and_what_the_request_says_is_a_note() -> None:
    caller = Caller("7", ISSUER)
    assert caller.signing("the boss", "too dear") == (f"7 ({ISSUER})", "too dear (as the boss)")
    assert caller.signing("", "") == (f"7 ({ISSUER})", "")
    assert ANYONE.signing("ann", "too dear") == ("ann", "too dear")
