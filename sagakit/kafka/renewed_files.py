"""TLS files of a Kafka client that are renewed: librdkafka reads them once, so another client has to take over.

A certificate is renewed long before it expires, so there is time: the client goes on with the files before, until a
broker answers a new client with the new ones. A CA that is replaced too early, or a certificate that the brokers do not
believe yet, cuts nobody off.
"""

import time
from collections.abc import Mapping

from sagakit.kafka.lost_brokers import another_is_answered
from sagakit.kafka.settings import tls_files
from sagakit.runtime.logs import logger
from sagakit.runtime.tls_files import CurrentTlsFiles

log = logger("kafka")


class RenewedFiles:
    """Notices that the TLS files of one client have changed; used by one thread."""

    def __init__(self, client: Mapping[str, str | int | float | bool], every_seconds: float, user: str) -> None:
        """Look every ``every_seconds`` at the files that the properties ``client`` name, for the ``user`` of them."""
        files = tls_files(client)
        self._current = CurrentTlsFiles(files, user) if any(file.path for file in files) else None
        self._client, self._every = client, every_seconds
        self._next = time.monotonic() + every_seconds
        self._untaken = False

    def are_there(self) -> bool:
        """Say whether the files have changed since the client was made, and a new client is answered with them.

        Call it as often as you like, and `taken` once a client with the new files has taken over. It looks when it is
        time. Where no broker answers the new client it takes two seconds.
        """
        if self._current is None or time.monotonic() < self._next:
            return False
        self._untaken = self._current.have_changed() or self._untaken
        answered = self._untaken and another_is_answered(self._client)
        if self._untaken and not answered:
            log.warning("no broker answers with the changed TLS files, using those before")
        self._next = time.monotonic() + self._every
        return answered

    def taken(self) -> None:
        """Note that a client which was made after the files had changed has taken over."""
        self._untaken = False
