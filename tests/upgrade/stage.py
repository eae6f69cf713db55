"""Servers with two versions of the services on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.server import quiet
from devstack.services import NAMES, Service
from devstack.stack import Stack
from tests.upgrade.version import Version


class Stage:
    """Each service may run in both versions at once: the one before as its first replica, the present as its second."""

    def __init__(self, stack: Stack, before: Version, present: Version) -> None:
        self.stack, self.before, self.present = stack, before, present
        self._slots = {
            before: {name: stack.service(name) for name in NAMES},
            present: {name: stack.replica(name) for name in NAMES},
        }

    def deploy(self, version: Version) -> None:
        """Make topics and schemas as ``version`` has them."""
        addresses = {
            "KAFKA_BOOTSTRAP_SERVERS": self.stack.bootstrap,
            "SCHEMA_REGISTRY_URL": self.stack.registry_url,
        }
        version.run(version.deployment, "schemas", settings=addresses)

    def migrate(self, version: Version, service: str) -> None:
        """Bring a service's database to where ``version`` wants it."""
        role = self.stack.postgres.runtime_role(service) or ""
        settings = {"DATABASE_URL": self.stack.postgres.dsn(service), "DATABASE_RUNTIME_ROLE": role}
        version.run(service, "migrate", settings=settings)

    def start(self, version: Version, service: str) -> None:
        """Start a service in one version, and wait until it is ready."""
        replica = self._slots[version][service]
        servers = (self.stack.postgres.dsn(service), self.stack.bootstrap, self.stack.registry_url)
        # The release before knows one login only: its migrations grant the runtime role nothing.
        login = {"DATABASE_URL": servers[0]} if version is self.before else {}
        replica.launch(*servers, {**version.environment, **login}, program=version.program(service))
        replica.wait_ready()

    def stop(self, version: Version, service: str) -> None:
        """Stop it in good order."""
        self._slots[version][service].stop()

    def running(self, service: str) -> list[Service]:
        """Return the replicas of a service that run."""
        return [slots[service] for slots in self._slots.values() if slots[service].pid is not None]


@contextmanager
def servers(folder: Path) -> Iterator[Stack]:
    """Start the three servers alone, with empty databases; remove them, and whatever runs on them, in the end."""
    stack = Stack.fresh(folder)
    stack.postgres.remove()  # as root its data lie elsewhere, and may be left from a run that was killed
    folder.mkdir()
    try:
        stack.postgres.start()
        stack.postgres.create_databases(list(NAMES))
        stack.postgres.create_runtime_roles(list(NAMES))
        stack.kafka.start()
        stack.registry.prepare(quiet)
        stack.registry.launch(stack.bootstrap)
        stack.registry.start()
        yield stack
    finally:
        stack.purge()
