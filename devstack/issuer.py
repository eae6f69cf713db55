"""The issuer of a closed stack: a key in a file, and two tokens that are made anew at each start."""

from pathlib import Path

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from devstack.secrets import write_private
from sagakit.rpc import local_issuer
from sagakit.rpc.scopes import all_scopes

_ISSUER, _AUDIENCE = "https://devstack.invalid", "ordersaga"
_LIFETIME_SECONDS = 30 * 86_400.0
"""Longer than a stack usually runs: nobody renews these tokens, but for the next start."""
_USER, _OPERATOR = "1", "operator"
_USERS_SCOPES = ("orders:read", "orders:write", "products:read")
_EVERYBODYS_ORDERS = "orders:any"
_CONTRACTS = tuple(file.DESCRIPTOR for file in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2))
_KEY, _KEYS = "issuer.key", "jwks.json"


class Issuer:
    """Signs the tokens of one stack."""

    def __init__(self, folder: Path) -> None:
        """Keep the key, what verifies its tokens, and the tokens in ``folder``."""
        self._folder = folder

    @property
    def user_token(self) -> Path:
        """The file with the token of user 1, who places orders."""
        return self._folder / "user.token"

    @property
    def operator_token(self) -> Path:
        """The file with the token of an operator, who may do everything."""
        return self._folder / "operator.token"

    def settings(self) -> dict[str, str]:
        """Return the settings of a service that takes these tokens."""
        return {
            "AUTH_MODE": "jwt",
            "AUTH_ISSUER": _ISSUER,
            "AUTH_AUDIENCE": _AUDIENCE,
            "AUTH_JWKS_FILE": str(self._folder / _KEYS),
        }

    def begin(self) -> None:
        """Make the key where there is none, and both tokens anew."""
        file = self._folder / _KEY
        if not file.exists():
            local_issuer.write_key(local_issuer.make_key(), file)
        key = local_issuer.read_key(file)
        (self._folder / _KEYS).write_text(local_issuer.published(key))
        for place, subject, scopes in (
            (self.user_token, _USER, _USERS_SCOPES),
            (self.operator_token, _OPERATOR, sorted({_EVERYBODYS_ORDERS, *all_scopes(_CONTRACTS, scope)})),
        ):
            token = local_issuer.token(
                key,
                issuer=_ISSUER,
                audience=_AUDIENCE,
                subject=subject,
                scopes=scopes,
                lifetime_seconds=_LIFETIME_SECONDS,
            )
            write_private(place, token)
