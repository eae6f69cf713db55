"""What a nemesis may lay hands on."""

from dataclasses import dataclass, field

from devstack.server import Server
from devstack.services import Service
from devstack.stack import Stack
from tests.chaos.harness import Supervisor
from tests.chaos.load import Load
from tests.chaos.recorder import Recorder


@dataclass
class Stage:
    """One run's stack, with those who look after it, load it and watch it."""

    stack: Stack
    supervisor: Supervisor
    recorder: Recorder
    load: Load
    replicas: list[Service] = field(default_factory=list)
    """Second replicas that belong to the run; empty where every service has one."""
    guests: dict[str, Service] = field(default_factory=dict)
    """Second replicas that come and go, by service."""

    def members(self, service: str) -> list[Service]:
        """Return every replica of ``service`` that belongs to the run."""
        return [self.stack.service(service), *(one for one in self.replicas if one.module == service)]

    def guest(self, service: str) -> Service:
        """Return the replica of ``service`` that comes and goes."""
        own = [one for one in self.replicas if one.module == service]
        if own:
            return own[0]
        if service not in self.guests:
            self.guests[service] = self.stack.replica(service)
        return self.guests[service]

    def server(self, name: str) -> Server:
        """Return a server by its name."""
        return next(part for part in self.stack.parts if part.name == name)
