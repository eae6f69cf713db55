"""The issuer's keys are read once, again for a key id that is new, and go on being used while the issuer is away."""

import asyncio
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.util import int_to_base64

from sagakit.errors import Unauthenticated, Unavailable
from sagakit.rpc import keys as keys_module
from sagakit.rpc import local_issuer
from sagakit.rpc.keys import FRESH_SECONDS, Keys, from_file, from_url, public_keys
from sagakit.rpc.tokens import Tokens
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, issuing, signed


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def jwks(*keys: Any, **more: object) -> bytes:
    return json.dumps({"keys": [{**key.as_dict(private=False), **more} for key in keys]}).encode()


def keys_of(issuer: Issuer, clock: Clock) -> Keys:
    return Keys(lambda: from_url(issuer.url), clock=clock)


async def known(keys: Keys, key: ECKey) -> bool:
    return await keys.find(key.kid, "ES256") is not None


async def read_in_the_background(keys: Keys) -> None:
    await keys.refresh()
    if keys._reading is not None:  # noqa: SLF001 - nothing else says when it is done
        await keys._reading  # noqa: SLF001


async def test_keys_are_read_once_for_all_who_wait() -> None:
    with issuing() as issuer:
        keys = keys_of(issuer, Clock())
        found = await asyncio.gather(*(known(keys, issuer.key) for _ in range(100)))
        assert (all(found), issuer.asked) == (True, 1)


async def test_a_thousand_unknown_key_ids_have_the_keys_read_once() -> None:
    with issuing() as issuer:
        clock = Clock()
        keys = keys_of(issuer, clock)
        await known(keys, issuer.key)
        clock.now += 60
        for number in range(1000):
            assert await keys.find(f"unknown-{number}", "ES256") is None
        assert issuer.asked == 2, "the first read, and one more"


async def test_a_new_key_is_found_by_the_first_token_that_it_has_signed() -> None:
    with issuing() as issuer:
        clock = Clock()
        keys = keys_of(issuer, clock)
        await known(keys, issuer.key)
        clock.now += 60
        issuer.renew()
        assert await known(keys, issuer.key)


async def test_the_keys_stay_while_the_issuer_is_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with issuing() as issuer:
        clock = Clock()
        keys = keys_of(issuer, clock)
        await known(keys, issuer.key)
        issuer.away = True
        clock.now += 10 * FRESH_SECONDS
        await read_in_the_background(keys)
        assert issuer.asked == 2
        assert await known(keys, issuer.key)
        assert not await known(keys, local_issuer.make_key())
        issuer.away = False
        clock.now += 10
        await read_in_the_background(keys)
        assert issuer.asked == 3


async def test_an_issuer_that_is_away_is_not_asked_for_each_token() -> None:
    with issuing() as issuer:
        issuer.away = True
        clock = Clock()
        keys = keys_of(issuer, clock)
        for _ in range(100):
            with pytest.raises(Unavailable):
                await known(keys, issuer.key)
        assert issuer.asked == 1
        issuer.away = False
        clock.now += 6
        assert await known(keys, issuer.key)


async def test_a_withdrawn_keys_tokens_are_refused_though_they_were_taken_before() -> None:
    with issuing() as issuer:
        clock = Clock()
        keys = keys_of(issuer, clock)
        tokens = Tokens(keys, issuer=ISSUER, audience=AUDIENCE)
        token = issuer.token()
        assert (await tokens.verified(token)).subject == "7"
        issuer.renew()
        assert await tokens.remembered(token), "nobody knows yet"
        clock.now += FRESH_SECONDS
        assert await tokens.remembered(token) is None, "also where nobody has called meanwhile"
        with pytest.raises(Unauthenticated):
            await tokens.verified(token)


async def test_nobody_waits_for_an_issuer_that_is_away() -> None:
    may_answer, clock, key, asked = threading.Event(), Clock(), local_issuer.make_key(), list[int]()

    def read() -> bytes:
        asked.append(1)
        if len(asked) > 2:
            may_answer.wait(10)
        return b"away" if len(asked) == 2 else jwks(key)

    keys = Keys(read, clock=clock)
    for _ in range(2):
        await keys.refresh()
        clock.now += FRESH_SECONDS
    async with asyncio.timeout(5):
        await keys.refresh()
        assert await known(keys, key)
    may_answer.set()
    await read_in_the_background(keys)


async def test_what_is_no_jwk_set_does_not_replace_the_keys() -> None:
    with issuing() as issuer:
        clock = Clock()
        keys = keys_of(issuer, clock)
        await known(keys, issuer.key)
        for document in (b"", b"<html>", b"{}", b'{"keys": 7}', b'{"keys": [7]}', b"[" * 100_000, b"x" * 300_000):
            issuer.document = document
            clock.now += FRESH_SECONDS
            await read_in_the_background(keys)
            assert await known(keys, issuer.key), document[:20]


def listens_for(connection: socket.socket, pieces: int) -> int:
    """Send a letter every tenth of a second until the other end is gone; return how many, up to ``pieces``."""
    for sent in range(pieces):
        try:
            connection.sendall(b"a")
        except OSError:
            return sent
        time.sleep(0.1)
    return pieces


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["headers", "body"])
def test_an_issuer_that_answers_little_by_little_is_not_listened_to_for_ever(
    begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_ANSWER_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as reading:
        read = reading.submit(from_url, "http://{}:{}/keys".format(*server.getsockname()))
        connection, _ = server.accept()
        with connection:
            connection.sendall(begins)
            assert listens_for(connection, pieces=100) < 100
    with pytest.raises((httpx2.HTTPError, ValueError)):
        read.result()


async def test_a_file_is_read_again(tmp_path: Path) -> None:
    clock, file, key = Clock(), tmp_path / "keys.json", local_issuer.make_key()
    file.write_bytes(jwks(local_issuer.make_key()))
    keys = Keys(lambda: from_file(str(file)), fresh_seconds=10, clock=clock)
    assert not await known(keys, key)
    file.write_bytes(jwks(key))
    clock.now += 11
    assert await known(keys, key)


def test_only_keys_that_can_verify_are_taken() -> None:
    good = local_issuer.make_key()
    others: list[Any] = [
        OctKey.generate_key(256, auto_kid=True),
        ECKey.generate_key("P-384", auto_kid=True),
        OKPKey.generate_key("X25519", auto_kid=True),
    ]
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be left out
    modulus = int_to_base64(weak.public_key().public_numbers().n)
    entries: list[dict[str, Any]] = [{"kty": "RSA", "kid": "weak", "e": "AQAB", "n": modulus}]
    entries += [key.as_dict(private=isinstance(key, OctKey)) for key in others]
    entries += [{**good.as_dict(private=False), "kid": "encrypts", "use": "enc"}]
    entries += [{**good.as_dict(private=False), "kid": "other", "alg": "ES512"}, {"kty": "new", "kid": "kind"}]
    document = json.dumps({"keys": [*entries, good.as_dict(private=False)]}).encode()
    assert [name for name in public_keys(document) if name[0]] == [(good.kid, "ES256")]
    assert public_keys(json.dumps({"keys": entries}).encode()) == {}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"kty": ["EC"]}, id="of no kind"),
        pytest.param({"kty": "RSA"}, id="without a modulus"),
        pytest.param({"kty": "RSA", "n": "!" * 400, "e": "AQAB"}, id="a modulus of other characters"),
        pytest.param({"kty": "EC", "crv": "P-256"}, id="without a point"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, id="a point beside the curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, id="too short"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AA", "key_ops": 5}, id="operations of another type"),
    ],
)
async def test_a_key_that_cannot_be_read_does_not_keep_a_withdrawn_one_alive(bad: object) -> None:
    clock, withdrawn, new = Clock(), local_issuer.make_key(), local_issuer.make_key()
    document = jwks(withdrawn)
    keys = Keys(lambda: document, clock=clock)
    assert await known(keys, withdrawn)
    document = json.dumps({"keys": [bad, new.as_dict(private=False)]}).encode()
    clock.now += FRESH_SECONDS
    await read_in_the_background(keys)
    assert [await known(keys, key) for key in (withdrawn, new)] == [False, True]


@pytest.mark.parametrize(
    "left", [[], [{"kty": "EC", "crv": "P-384", "kid": "another kind"}]], ids=["none", "another kind"]
)
async def test_a_key_is_forgotten_too_where_the_issuer_publishes_none_in_its_place(left: list[object]) -> None:
    clock, withdrawn = Clock(), local_issuer.make_key()
    document = jwks(withdrawn)
    keys = Keys(lambda: document, clock=clock)
    assert await known(keys, withdrawn)
    document = json.dumps({"keys": left}).encode()
    clock.now += FRESH_SECONDS
    await read_in_the_background(keys)
    with pytest.raises(Unavailable, match="no key"):
        await known(keys, withdrawn)


def test_a_private_key_that_is_published_by_mistake_is_not_kept() -> None:
    key = local_issuer.make_key()
    document = json.dumps({"keys": [key.as_dict(private=True)]}).encode()
    assert not any(found.is_private for found in public_keys(document).values())


async def test_a_token_without_a_key_id_is_taken_where_there_is_one_key() -> None:
    one, two = local_issuer.make_key(), local_issuer.make_key()
    for keys, found in (((one,), True), ((one, two), False)):
        document = jwks(*keys)
        assert (await Keys(lambda document=document: document).find(None, "ES256") is not None) == found  # type: ignore[misc]


def test_a_key_file_is_its_owners_alone_and_is_not_overwritten(tmp_path: Path) -> None:
    path, key = tmp_path / "key.json", local_issuer.make_key()
    local_issuer.write_key(key, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert local_issuer.read_key(path).kid == key.kid
    with pytest.raises(FileExistsError):
        local_issuer.write_key(key, path)
    path.write_text(local_issuer.published(key))
    with pytest.raises(ValueError, match="no private key"):
        local_issuer.read_key(path)
    assert signed(key)
