"""Settings that say who may call: by the tokens of an issuer, or anyone."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from sagakit.rpc.keys import ALGORITHMS, FILE_FRESH_SECONDS, Keys, from_file, from_url, public_keys
from sagakit.rpc.tokens import Tokens
from sagakit.runtime.settings import Settings
from sagakit.runtime.urls import is_trustworthy

_WHO = ("auth_issuer", "auth_audience")
_KEYS = ("auth_jwks_url", "auth_jwks_file")


class CallerSettings(Settings):
    """Whether callers need a token, and what it is held against."""

    auth_mode: Literal["none", "jwt"] = Field(
        default="none", description="jwt: callers need a token; none: they do not."
    )
    auth_none_acknowledged: Literal["yes", "no"] = Field(
        default="no", description="yes lets a service that others can reach serve anyone."
    )
    auth_issuer: str | None = Field(default=None, description="The tokens' issuer, their claim iss.")
    auth_audience: str | None = Field(default=None, description="Whom tokens must be for, one of their claim aud.")
    auth_jwks_url: str | None = Field(default=None, description="Where the issuer publishes its keys, a JWK set.")
    auth_jwks_file: str | None = Field(default=None, description="A file that holds them instead.")
    auth_user_claim: str = Field(default="sub", description="The claim that holds the number of the user.")
    auth_leeway_seconds: float = Field(default=10.0, ge=0, le=120, description="How far clocks may differ, in seconds.")

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        given = self.given((*_WHO, *_KEYS))
        if self.auth_mode == "none":
            if given:
                yield f"AUTH_MODE: must be jwt, where {given[0]} is set (it is 'none')"
            return
        for name in _WHO:
            if getattr(self, name) is None:
                yield f"{name.upper()}: must be set too, where AUTH_MODE is jwt"
        if len(self.given(_KEYS)) != 1:
            yield "AUTH_JWKS_URL, AUTH_JWKS_FILE: one of them must be set, and not both, where AUTH_MODE is jwt"
        if self.auth_jwks_url is not None and not is_trustworthy(self.auth_jwks_url):
            shown = "" if "@" in self.auth_jwks_url else f" (it is {self.auth_jwks_url!r})"  # there may be a password
            yield (
                "AUTH_JWKS_URL: must be an https:// address, except on loopback, of ASCII without \\,"
                f" and with a host and a port alone before its path{shown}"
            )
        if self.auth_jwks_file is not None:
            yield from _file_problems(self.auth_jwks_file)

    def tokens(self) -> Tokens | None:
        """Return what verifies tokens; None where callers need none."""
        if self.auth_mode == "none":
            return None
        if self.auth_jwks_file is not None:
            keys = Keys(partial(from_file, self.auth_jwks_file), fresh_seconds=FILE_FRESH_SECONDS)
        else:
            keys = Keys(partial(from_url, self.auth_jwks_url or ""))
        return Tokens(
            keys,
            issuer=self.auth_issuer or "",
            audience=self.auth_audience or "",
            user_claim=self.auth_user_claim,
            leeway_seconds=self.auth_leeway_seconds,
        )


def _file_problems(path: str) -> Iterator[str]:
    try:
        if not public_keys(from_file(path)):
            yield f"AUTH_JWKS_FILE: holds no key for {', '.join(sorted(ALGORITHMS))} (it is {path!r})"
    except OSError as error:
        yield f"AUTH_JWKS_FILE: cannot be read: {error.strerror} (it is {path!r})"
    except ValueError as error:
        yield f"AUTH_JWKS_FILE: {error} (it is {path!r})"
