"""One job: how far it is, and what came of each thing."""

from collections.abc import Mapping

import grpc

from console_svc.failures import CallFailed
from console_svc.visit import Page, Visit


async def load(visit: Visit) -> Mapping[str, object]:
    """Return the job, to whoever began it."""
    job = visit.sources.jobs.get(visit.parts["job_id"], visit.visitor.subject)
    if job is None:
        text = "There is no such job: it is another visitor's, another replica runs it, or the console has restarted."
        raise CallFailed(text, grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    return {"job": job}


PAGE = Page("/jobs/{job_id}", "Job", "job.html", load, every=0.25)
