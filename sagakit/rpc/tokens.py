"""Callers by their tokens: signed JSON web tokens (RFC 7519), verified once and remembered until they expire."""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from joserfc import jws
from joserfc.errors import UnsupportedAlgorithmError

from sagakit.errors import Unauthenticated, Unavailable
from sagakit.rpc.callers import LONGEST_SUBJECT, Caller
from sagakit.rpc.keys import ALGORITHMS, Keys

EXPIRED = "TOKEN_EXPIRED"
INVALID = "TOKEN_INVALID"
NOT_YET_VALID = "TOKEN_NOT_YET_VALID"
_MOST_REMEMBERED = 10_000
_LONGEST_TOKEN = 8192
_LATEST = 253_402_300_800
"""The end of the year 9999, in Unix time."""
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_DIGITS = 19
"""Of the largest user id, 2⁶³ - 1."""


class _Registry(jws.JWSRegistry):
    """The algorithms that are taken, whatever a token says."""

    max_header_length = 4096  # some issuers send their certificates along

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - joserfc does not export the type
        """Return the algorithm ``name``. The library's own method warns of EdDSA, which RFC 9864 has renamed."""
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


class Tokens:
    """Verifies tokens of one issuer for one audience; used by one event loop."""

    def __init__(  # noqa: PLR0913 - what a token is held against
        self,
        keys: Keys,
        *,
        issuer: str,
        audience: str,
        user_claim: str = "sub",
        leeway_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Verify by ``keys`` that ``issuer`` signed a token for ``audience``.

        ``user_claim`` is the claim that says which user the caller is. Clocks may differ by ``leeway_seconds``;
        ``clock`` gives Unix time.
        """
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._user_claim, self._leeway, self._clock = user_claim, leeway_seconds, clock
        self._remembered: OrderedDict[bytes, Caller] = OrderedDict()
        self._version = keys.version

    async def remembered(self, token: str) -> Caller | None:
        """Return who ``token`` says is calling, where it was verified before; else None.

        Raises:
            Unauthenticated: it has expired since.
        """
        await self._keys.refresh()
        self._forget_what_other_keys_signed()
        digest = _digest(token)
        known = self._remembered.get(digest)
        if known is not None:
            _must_go_on(known, self._clock())
            self._remembered.move_to_end(digest)
        return known

    async def verified(self, token: str) -> Caller:
        """Return who ``token`` says is calling, once its signature is verified; and remember it.

        Raises:
            Unauthenticated: it says nothing that counts; the reason names no more than a client can mend.
            Unavailable: the issuer's keys are not known yet.
        """
        caller = self._caller(await self._claims(token))
        self._forget_what_other_keys_signed()  # the keys may have been read for this token
        self._remembered[_digest(token)] = caller
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return caller

    def _forget_what_other_keys_signed(self) -> None:
        if self._version != self._keys.version:
            self._remembered.clear()
            self._version = self._keys.version

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise _invalid("it is too long")
        try:
            claims = await self._signed_claims(token)
        except (Unauthenticated, Unavailable):
            raise
        except Exception as error:  # whatever a token does to those who read it, it is refused
            raise _invalid("it cannot be read") from error
        if not isinstance(claims, dict):
            raise _invalid("it has no claims")
        return claims

    async def _signed_claims(self, token: str) -> Any:  # noqa: ANN401 - what JSON says
        signed = jws.extract_compact(token.encode(), registry=_REGISTRY)
        header = signed.headers()
        _must_be_access_token(header)
        key = await self._keys.find(header.get("kid"), header["alg"])
        if key is None or not jws.validate_compact(signed, key, registry=_REGISTRY):
            raise _invalid("its signature is not the issuer's")
        return json.loads(signed.payload, parse_constant=_no_number)

    def _caller(self, claims: dict[str, Any]) -> Caller:
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise _invalid("it is of another issuer")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            raise _invalid("it is for another audience")
        caller = Caller(
            subject=_subject(claims.get("sub")),
            issuer=self._issuer,
            scopes=_scopes(claims),
            user_id=_user(claims.get(self._user_claim)),
            expires=_time(claims.get("exp")) + self._leeway,
        )
        now = self._clock()
        _must_go_on(caller, now)
        if "nbf" in claims and now < _time(claims["nbf"]) - self._leeway:
            raise Unauthenticated(NOT_YET_VALID, "the token is not valid yet; is this machine's clock right?")
        return caller


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _must_be_access_token(header: dict[str, Any]) -> None:
    """Check that nothing in ``header`` makes the token another thing than a signed access token."""
    if header["alg"] not in ALGORITHMS:
        raise _invalid("its algorithm is none of those taken")
    if "crit" in header or "b64" in header:
        raise _invalid("it asks for an extension")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise _invalid("it is of another type")


def _must_go_on(caller: Caller, now: float) -> None:
    if caller.expires is not None and now >= caller.expires:
        raise Unauthenticated(EXPIRED, "the token has expired; get another")


def _subject(value: object) -> str:
    value = str(value) if type(value) is int else value  # RFC 7519 wants a text, and some issuers number their users
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST_SUBJECT:
        raise _invalid(f"its subject is no text of 1 to {LONGEST_SUBJECT} characters")
    return value


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes: words in one text (RFC 9068) or a list of them; some issuers call the claim ``scp``."""
    value = claims.get("scope", claims.get("scp", ""))
    # By the space alone, as the issuer counted them: Python knows two dozen other characters that part words.
    words = value.split(" ") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _invalid("its scopes are no text")
    return frozenset(words) - {""}


def _user(value: object) -> int | None:
    """Return the user's id, a positive number, also as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS and value[0] != "0":
        value = int(value)
    return value if type(value) is int and 0 < value < 2**63 else None


def _time(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _LATEST:
        raise _invalid("it has no time of expiry, or an impossible time")
    return float(value)


def _no_number(name: str) -> None:
    raise ValueError(name)


def _invalid(why: str) -> Unauthenticated:
    """Refuse, with ``why`` for the log alone: a client can only get a good token, whatever is bad about this one."""
    error = Unauthenticated(INVALID, "the token is not valid here")
    error.add_note(why)
    return error
