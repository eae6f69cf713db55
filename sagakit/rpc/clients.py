"""Who may call: the clients whose certificate has one of the names in ``GRPC_TLS_CLIENT_NAMES``.

That a certificate is of an authority which we believe, and that its client has the key, was found at the handshake.
Many may have such a certificate. A name counts that stands in the certificate as a subject alternative name; the
subject's common name does not.
"""

from typing import Any

import grpc

from sagakit.errors import Denied

_ALTERNATIVE_NAMES = "x509_subject_alternative_name"
"""What gRPC says the peer's identities are; it takes the common name of a certificate that has no such name."""


class Clients:
    """Some clients, by the names in their certificates."""

    def __init__(self, names: frozenset[str] | None) -> None:
        """Include those who have one of ``names``; None includes everybody, with a certificate or without."""
        self._names = None if names is None else {name.encode() for name in names}

    def must_include(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Check that the call of ``context`` comes from one of them.

        Raises:
            Denied: it does not. It is not UNAUTHENTICATED, because we know who calls, and other credentials
                of the same client would not help.
        """
        if self._names is None:
            return
        if context.peer_identity_key() == _ALTERNATIVE_NAMES and not self._names.isdisjoint(
            context.peer_identities() or ()
        ):
            return
        raise Denied("CLIENT_NOT_ALLOWED", "no name in the client's certificate is one of those that may call")


ANY = Clients(None)
"""Everybody who gets as far as a call."""
