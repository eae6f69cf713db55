"""What a release's secrets have to be, by the plan and by what is there: no server is asked here."""

import secrets
import string
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from cluster_secrets.certificates import Authority, Pair, authority_of, certificate_of
from cluster_secrets.plan import Plan

Object: TypeAlias = dict[str, Any]
"""As the API has it."""

TO_TELL = "order-saga/readers-to-be-told"
"""An annotation: passwords in the secret were made, and who reads them at its start has yet to be started again."""
_LENGTH = 32
_SIGNS = string.ascii_letters + string.digits


def wanted(plan: Plan, found: Mapping[str, Object], now: datetime) -> Iterator[Object]:
    """Yield each secret of the plan as it has to be, those first that others need.

    Args:
        plan: which secrets there have to be.
        found: those that are there, by their names.
        now: the time by which a certificate is due.
    """
    for name, keys in plan.logins.items():
        yield _login(plan, name, keys, found.get(name))
    if plan.authority:
        there = _data(found.get(plan.authority.secret))
        authority = authority_of(_pair(there, "ca"), plan.authority.name, now)
        own = {"ca.crt": authority.pair.certificate, "ca.key": authority.pair.key}
        yield _secret(plan, plan.authority.secret, "Opaque", own)
        yield from _certificates(plan, found, authority, now)


def change(secret: Object, found: Object | None) -> Object | None:
    """Return what makes of the secret that was ``found`` the one that is wanted, as a JSON merge patch.

    Of a secret that is not there it is the whole. None where nothing has to be changed.
    """
    if not found:
        metadata = {key: _filled(one) if isinstance(one, dict) else one for key, one in secret["metadata"].items()}
        return {**secret, "metadata": metadata}
    metadata, there = secret["metadata"], found["metadata"]
    parts = {
        "data": _differing(secret["data"], found.get("data")),
        "labels": _differing(metadata["labels"], there.get("labels")),
        "annotations": _differing(metadata["annotations"], there.get("annotations")),
    }
    if not any(parts.values()):
        return None
    # By its version, so that nothing is overwritten that has changed since.
    version = {"resourceVersion": there["resourceVersion"]}
    marks = {key: parts[key] for key in ("labels", "annotations") if parts[key]}
    return {"metadata": version | marks, **({"data": parts["data"]} if parts["data"] else {})}


def mentions(template: object, secret: str) -> bool:
    """Say whether a pod's template names a secret."""
    if isinstance(template, dict):
        return any(mentions(one, secret) for one in template.values())
    if isinstance(template, list):
        return any(mentions(one, secret) for one in template)
    return template == secret


def _login(plan: Plan, name: str, keys: tuple[str, ...], found: Object | None) -> Object:
    there = _data(found)
    missing = [key for key in keys if not there.get(key)]
    made = {key: "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH)).encode() for key in missing}
    data = {key: there.get(key) or made[key] for key in keys}
    return _secret(plan, name, "Opaque", data, {TO_TELL: "yes"} if made else {})


def _certificates(plan: Plan, found: Mapping[str, Object], authority: Authority, now: datetime) -> Iterator[Object]:
    for name, who in plan.certificates.items():
        pair = certificate_of(_pair(_data(found.get(name)), "tls"), who, authority, now)
        data = {"ca.crt": authority.pair.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
        yield _secret(plan, name, "kubernetes.io/tls", data)


def _secret(
    plan: Plan, name: str, kind: str, data: Mapping[str, bytes], annotations: Mapping[str, str] | None = None
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": dict(plan.labels),
            "annotations": {**plan.annotations, **(annotations or {})},
        },
        "type": kind,
        "data": {key: b64encode(one).decode() for key, one in data.items()},
    }


def _data(found: Object | None) -> dict[str, bytes]:
    return {key: b64decode(one) for key, one in ((found or {}).get("data") or {}).items()}


def _pair(data: Mapping[str, bytes], name: str) -> Pair | None:
    certificate, key = data.get(f"{name}.crt"), data.get(f"{name}.key")
    return Pair(certificate or b"", key) if key else None


def _filled(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: one for key, one in values.items() if one is not None}


def _differing(values: Mapping[str, str | None], there: Mapping[str, str] | None) -> dict[str, str | None]:
    return {key: one for key, one in values.items() if (there or {}).get(key) != one}
