"""Make the secrets of a plan that are not there: ``python -m cluster_secrets PLAN``, in a pod that may do so.

It is safe to repeat: what is there is kept. Whoever reads a password at its start, and was started before that was
made, is started again.
"""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from cluster_secrets.cluster import Cluster, NotDone, connected
from cluster_secrets.plan import Plan
from cluster_secrets.wanted import TO_TELL, change, mentions, wanted


def keep(cluster: Cluster, plan: Plan, now: datetime) -> Iterator[str]:
    """Make what is missing of the plan, or due; yield a line for each thing that is done.

    A secret with a new password says that its readers are to be told until they are: so one that is interrupted goes
    on.
    """
    found = {name: there for name in plan.secrets if (there := cluster.secret(name))}
    to_tell = {name for name, one in found.items() if TO_TELL in (one["metadata"].get("annotations") or {})}
    for secret in wanted(plan, found, now):
        name = secret["metadata"]["name"]
        patch = change(secret, found.get(name))
        if patch is None:
            continue
        if name in found:
            cluster.change(name, patch)
        else:
            cluster.create(patch)
        yield f"secret {name}: {', '.join(patch.get('data', {})) or 'labels'} {'changed' if name in found else 'made'}"
        if TO_TELL in secret["metadata"]["annotations"]:
            to_tell.add(name)
    yield from _tell(cluster, plan, to_tell)
    for name in sorted(to_tell):
        cluster.change(name, {"metadata": {"annotations": {TO_TELL: None}}})


def _tell(cluster: Cluster, plan: Plan, secrets: set[str]) -> Iterator[str]:
    """Start again whoever reads one of ``secrets`` at its start."""
    for kind, names in (plan.readers if secrets else {}).items():
        for name in names:
            template = cluster.template(kind, name)
            if template and any(mentions(template, secret) for secret in secrets):
                cluster.restart(kind, name)
                yield f"{kind} {name}: started again, for another password"


def _api() -> str:
    """Return the API's address, which Kubernetes tells each container."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def main() -> None:
    """Run as a command; on failure exit with 1 and a line that says why."""
    (text,) = sys.argv[1:] or sys.exit("usage: python -m cluster_secrets PLAN")
    try:
        plan = Plan.model_validate_json(text)
        with connected(_api()) as cluster:
            for line in keep(cluster, plan, datetime.now(UTC)):
                print(line, flush=True)
    except (ValidationError, NotDone, OSError) as error:
        sys.exit(f"secrets not made: {error}")
    print("all secrets are there", flush=True)


if __name__ == "__main__":
    main()
