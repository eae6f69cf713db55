"""The issuer's public keys, by which tokens are verified: read from a URL or a file, cached, and read again.

A token may be signed by a key that is new. So an unknown key id has the keys read once more, but not more often than
every half minute, whatever callers send. While the issuer is away, the keys that are known go on being used.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeAlias

import httpx2
from joserfc.jwk import ECKey, OKPKey, RSAKey
from prometheus_client import Counter

from sagakit.errors import Unavailable
from sagakit.runtime.logs import logger, one_line
from sagakit.runtime.metrics import begin_at_zero

log = logger("rpc")

_FETCHES = Counter("sagakit_issuer_key_reads_total", "Times that the issuer's keys were read.", ["outcome"])
begin_at_zero(_FETCHES, ("done", "failed"))

_LARGEST_SET = 262_144
"""In bytes."""
_MOST_KEYS = 100
_LEAST_RSA_BITS = 2048
_ANSWER_SECONDS = 5.0
_READ_APART_SECONDS = 30.0
"""Between two reads, however many unknown key ids come."""
_TRY_AGAIN_SECONDS = 5.0
"""Between a read that failed and the next."""
FRESH_SECONDS = 300.0
"""After so long the keys are read again, so that one that the issuer has withdrawn is forgotten."""
FILE_FRESH_SECONDS = 10.0
"""The same for a file, which costs nothing to read."""

Key: TypeAlias = RSAKey | ECKey | OKPKey
PublicKeys: TypeAlias = Mapping[tuple[str | None, str], Key]
"""By key id and algorithm. A key serves one algorithm, which its own type decides: never a token."""
_KINDS: dict[tuple[object, object], tuple[str, type[Key]]] = {
    ("RSA", None): ("RS256", RSAKey),
    ("EC", "P-256"): ("ES256", ECKey),
    ("OKP", "Ed25519"): ("EdDSA", OKPKey),
}
_PUBLIC = ("kty", "crv", "x", "y", "n", "e", "kid")
"""What is taken of a key, so that a private one that an issuer published by mistake is not kept."""
ALGORITHMS = frozenset(algorithm for algorithm, _ in _KINDS.values())


def public_keys(document: bytes) -> PublicKeys:
    """Return the keys of a JWK set (RFC 7517) that can verify signatures here; perhaps none.

    Those of other kinds are left out, and so are those that nobody can read: one bad key must not keep the withdrawal
    of another from being seen.

    Raises:
        ValueError: it is no JWK set.
    """
    try:
        entries = json.loads(document)["keys"]
        found = list(filter(None, map(_readable_key, entries[:_MOST_KEYS])))
    except Exception as error:  # whatever a document does to those who read it, it is no JWK set
        raise ValueError(f"holds no JWK set: {type(error).__name__}") from error
    keys = {(key.kid, algorithm): key for key, algorithm in reversed(found)}  # of two with one id, the first
    if len(found) == 1:
        keys[None, found[0][1]] = found[0][0]  # for tokens without a key id
    return keys


def _readable_key(entry: object) -> tuple[Key, str] | None:
    if not isinstance(entry, dict):
        raise TypeError(type(entry).__name__)
    try:
        return _public_key(entry)
    except Exception:  # noqa: BLE001 - whatever a key does to those who read it, the others are as good as before
        return None


def _public_key(entry: dict[str, Any]) -> tuple[Key, str] | None:
    algorithm, kind = _KINDS.get((entry.get("kty"), entry.get("crv")), (None, None))
    if algorithm is None or kind is None or entry.get("alg", algorithm) != algorithm:
        return None
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    if kind is RSAKey and len(entry["n"]) * 6 < _LEAST_RSA_BITS:
        return None  # the library would warn of it
    key = kind.import_key({name: str(entry[name]) for name in _PUBLIC if name in entry})
    if isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS:
        return None
    return key, algorithm


def from_url(url: str) -> bytes:
    """Return what the issuer publishes at ``url``.

    Raises:
        OSError, httpx2.HTTPError, ValueError: it cannot be had, or is too large.
    """
    with (
        _Cutoff(_ANSWER_SECONDS) as cutoff,
        httpx2.Client(timeout=_ANSWER_SECONDS) as client,
        client.stream("GET", url, extensions={"trace": cutoff.note}) as answer,
    ):
        answer.raise_for_status()
        document = b""
        for piece in answer.iter_bytes():
            document += piece
            if len(document) > _LARGEST_SET:
                raise ValueError(f"is larger than {_LARGEST_SET} bytes")
        if cutoff.was_needed:  # a document without a stated length looks whole
            raise ValueError(f"was not sent within {_ANSWER_SECONDS:.0f} s")
        return document


class _Cutoff:
    """Ends a connection after a while, however little by little its server answers: time-outs are for each piece."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._connection: socket.socket | None = None
        self.was_needed = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def note(self, event: str, found: Mapping[str, Any]) -> None:
        """Take the connection that the client has made; it calls this at each step."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._connection = found["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        self.was_needed = True
        if self._connection is not None:
            with suppress(OSError):  # it has just ended by itself
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)  # TLS's own would wait for the server


def from_file(path: str) -> bytes:
    """Return the content of the file ``path``.

    Raises:
        OSError, ValueError: it cannot be read, or is too large.
    """
    with Path(path).open("rb") as file:
        document = file.read(_LARGEST_SET + 1)
    if len(document) > _LARGEST_SET:
        raise ValueError(f"is larger than {_LARGEST_SET} bytes")
    return document


class Keys:
    """The issuer's keys; used by one event loop."""

    def __init__(
        self,
        read: Callable[[], bytes],
        *,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get the JWK set by ``read``, in a thread, and again after ``fresh_seconds``; ``clock`` gives seconds."""
        self._read, self._fresh, self._clock = read, fresh_seconds, clock
        self._keys: PublicKeys = {}
        self.version = 0
        """Counts the changes of the keys."""
        self._stale_at = self._next_read = clock()
        self._reading: asyncio.Task[None] | None = None
        self._away = False

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key with this id for ``algorithm``; None where the issuer has no such key.

        Raises:
            Unavailable: no key is known, because the issuer is away, or publishes none.
        """
        if (kid, algorithm) not in self._keys:
            await self._look_again()
        if not self._keys:
            raise Unavailable("no key of the issuer's is known, so no token can be verified")
        return self._keys.get((kid, algorithm))

    async def refresh(self) -> None:
        """Have the keys read again, if they are not fresh any more; the call that notices it waits for that.

        So a withdrawn key's token is refused where nobody has called for long, too. Other calls go on with the keys
        that are known, and so do all while the issuer is away.
        """
        now = self._clock()
        if now >= self._stale_at and now >= self._next_read and self._reading is None:
            waits, reading = not self._away, self._begin_reading()
            if waits:
                await asyncio.shield(reading)  # others may wait for it too, and go on if this call is cancelled

    async def _look_again(self) -> None:
        reading = self._reading
        if reading is None and self._clock() >= self._next_read:
            reading = self._begin_reading()
        if reading is not None:
            await asyncio.shield(reading)

    def _begin_reading(self) -> "asyncio.Task[None]":
        self._reading = asyncio.create_task(self._read_now())
        return self._reading

    async def _read_now(self) -> None:
        try:
            keys = public_keys(await asyncio.to_thread(self._read))
        except Exception as error:  # noqa: BLE001 - whatever an issuer answers, the keys that are known stay
            _FETCHES.labels("failed").inc()
            log.warning("the issuer's keys cannot be read", error=one_line(error), known=len(self._keys))
            self._next_read, self._away = self._clock() + _TRY_AGAIN_SECONDS, True
        else:
            self._away = False
            _FETCHES.labels("done").inc()
            if _shown(keys) != _shown(self._keys):
                self._keys, self.version = keys, self.version + 1
                log.info("the issuer's keys", ids=sorted(kid for kid, _ in keys if kid))
            if not keys:
                log.warning("the issuer publishes no key that is of use here, so no token is taken")
            now = self._clock()
            self._stale_at, self._next_read = now + self._fresh, now + min(_READ_APART_SECONDS, self._fresh)
        finally:
            self._reading = None


def _shown(keys: PublicKeys) -> dict[tuple[str | None, str], str]:
    return {name: key.thumbprint() for name, key in keys.items()}
