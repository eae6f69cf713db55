"""The System page: the services, with why one is not ready, and the topics, with how far behind each group is."""

import asyncio
from collections.abc import Mapping

from console_svc.verifying import verify
from console_svc.visit import Page, Visit


async def load(visit: Visit) -> Mapping[str, object]:
    """Read what the services report, and how Kafka is."""
    if visit.visitor.token:  # no service is asked with it here
        await verify(visit.services, visit.visitor.token)
    reports, kafka = await asyncio.gather(visit.sources.reports.read(), visit.sources.kafka.look())
    addresses = {service.name: service.address for service in visit.services.all}
    return {"reports": reports, "kafka": kafka, "addresses": addresses}


PAGE = Page("/system", "System", "system.html", load, every=1.0)
