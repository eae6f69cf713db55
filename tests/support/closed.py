"""The stack's services once more, closed: each has a second replica that asks its callers for a token."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from devstack.services import NAMES, Service
from devstack.stack import Stack
from ordersaga_cli.tokens import OPERATOR, USER
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, issuing
from tests.support.shop import Shop


class Closed:
    """Services that take the tokens of ``issuer``."""

    def __init__(self, stack: Stack, services: dict[str, Service], issuer: Issuer) -> None:
        self.security, self._services, self.issuer = stack.security, services, issuer

    def service(self, name: str) -> Service:
        return self._services[name]

    def shop(self, token: str) -> Shop:
        """Return a client of all of them whose calls carry ``token``."""
        return Shop(self, lambda: token)

    def customer(self, user: int) -> Shop:
        """Return what a customer's program may do."""
        return self.shop(self.issuer.token(str(user), *USER))

    def operator(self, name: str = "ops") -> Shop:
        """Return what an operator may do, who is no user."""
        return self.shop(self.issuer.token(name, *OPERATOR))


@contextmanager
def closed(stack: Stack) -> Iterator[Closed]:
    """Start a closed replica of each service of ``stack``, without leeway for the clock, which is this machine's."""
    with issuing() as issuer, ThreadPoolExecutor(len(NAMES)) as pool:
        settings = {
            "AUTH_MODE": "jwt",
            "AUTH_ISSUER": ISSUER,
            "AUTH_AUDIENCE": AUDIENCE,
            "AUTH_JWKS_URL": issuer.url,
            "AUTH_JWKS_FILE": "",  # which a closed stack has
            "AUTH_LEEWAY_SECONDS": "0",
        }
        services = {name: stack.replica(name) for name in NAMES}
        try:
            list(pool.map(lambda service: service.start(extra_env=settings), services.values()))
            yield Closed(stack, services, issuer)
        finally:
            list(pool.map(lambda service: service.stop(), services.values()))
