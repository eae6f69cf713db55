"""What the services report of themselves: readiness with its reason, and some of their metrics."""

import asyncio
from dataclasses import dataclass

from console_svc.settings import ConsoleSettings
from sagakit.runtime.reported import Report, read_report


@dataclass(frozen=True)
class Reports:
    """Reads the reports for all who look."""

    addresses: tuple[tuple[str, str], ...]
    """Each service, and where its metrics are."""
    settings: ConsoleSettings

    @classmethod
    def of(cls, settings: ConsoleSettings) -> "Reports":
        """Return the reports of the services in ``settings``."""
        return cls(settings.metrics, settings)

    async def read(self) -> list[Report]:
        """Return the report of each service."""
        context = self.settings.context()
        return await asyncio.gather(
            *(asyncio.to_thread(read_report, name, address, context) for name, address in self.addresses)
        )
