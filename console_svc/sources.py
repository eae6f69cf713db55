"""Whom the console asks, for all who look."""

import asyncio
from dataclasses import dataclass

from console_svc.jobs import Jobs
from console_svc.kafka import Kafka
from console_svc.pace_reader import PaceReader
from console_svc.reports import Reports
from console_svc.services import Services
from console_svc.settings import ConsoleSettings


@dataclass(frozen=True)
class Sources:
    """The services by gRPC, Kafka, what the services report, what is being done, and how fast."""

    services: Services
    kafka: Kafka
    reports: Reports
    jobs: Jobs
    pace: PaceReader

    @classmethod
    def of(cls, settings: ConsoleSettings) -> "Sources":
        """Return the sources that ``settings`` name."""
        return cls(Services(settings), Kafka(settings), Reports(settings), Jobs(), PaceReader(settings))

    async def meet(self) -> None:
        """Reach each of them once, so that the first visitor waits for no connection; it matters not who is away."""
        await asyncio.gather(self.kafka.look(), *(service.health() for service in self.services.all))

    async def close(self) -> None:
        """End what goes on."""
        await self.jobs.close()
        self.reports.close()
        await self.services.close()
