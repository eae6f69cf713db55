"""The schema registry's client, which takes TLS files that are renewed.

confluent-kafka's client reads its files once. Before each question that wants a new answer its caches are cleared
(`sagakit.avro.schema_ids`), every 30 seconds at least: that is when this one looks at its files.
"""

import threading

from confluent_kafka.schema_registry import SchemaRegistryClient

from sagakit.avro.settings import RegistrySettings
from sagakit.runtime.logs import logger, one_line
from sagakit.runtime.tls_files import CurrentTlsFiles

log = logger("schemas")


class RenewedRegistry(SchemaRegistryClient):
    """A client that connects anew where its TLS files have changed."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Connect, when that is first needed, as ``settings`` say."""
        self._settings = settings
        self._current = CurrentTlsFiles(settings.registry_tls_files(), "registry")
        self._renewing, self._untaken = threading.Lock(), False
        super().__init__(settings.registry_client())

    def clear_caches(self) -> None:
        """Forget all answers; any thread may call this.

        Where the TLS files have changed, a call that is under way in another thread may fail, and is made again there.
        """
        with self._renewing:
            self._untaken = self._current.have_changed() or self._untaken
            if self._untaken and self._can_be_used():
                self.close()
                super().__init__(self._settings.registry_client())
                self._untaken = False
        super().clear_caches()  # type: ignore[no-untyped-call] # it has no annotations

    def _can_be_used(self) -> bool:
        try:
            SchemaRegistryClient(self._settings.registry_client()).close()
        except OSError as error:  # they have changed once more, and are half written
            log.warning("changed TLS files cannot be used, using those before", error=one_line(error))
            return False
        return True
