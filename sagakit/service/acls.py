"""Kafka's ACLs: makes them what the contracts grant, and takes away what they no longer grant."""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from sagakit.runtime.logs import logger
from sagakit.service.access import Grant
from sagakit.service.refused import answer

log = logger("deploy")

_SECONDS = 10.0
_USER = "User:"
_ANYWHERE = "*"
_WHAT = "Kafka's ACLs"


def apply(admin: AdminClient, grants: Collection[Grant], principals: Collection[str]) -> None:
    """Make the ACLs of ``principals`` just what ``grants`` says; those of others stay as they are.

    What is new is granted before anything is taken away, so that nobody is refused meanwhile.

    Raises:
        DeploymentRefused: the brokers have no authorizer, or do not let us.
        Unavailable: they do not answer.
    """
    wanted = {_binding(grant) for grant in grants}
    present = {binding for name in principals for binding in _present(admin, name)}
    _done(admin.create_acls(sorted(wanted - present), request_timeout=_SECONDS) if wanted - present else {})
    gone = sorted(present - wanted)
    _done(admin.delete_acls([_just(one) for one in gone], request_timeout=_SECONDS) if gone else {})
    log.info("access granted", granted=len(wanted - present), taken_away=len(gone), in_all=len(wanted))


def _binding(grant: Grant) -> AclBinding:
    return AclBinding(
        ResourceType[grant.kind],
        grant.name,
        ResourcePatternType.PREFIXED if grant.is_prefix else ResourcePatternType.LITERAL,
        _USER + grant.principal,
        _ANYWHERE,
        AclOperation[grant.operation],
        AclPermissionType.ALLOW,
    )


def _present(admin: AdminClient, principal: str) -> list[AclBinding]:
    anything: Any = None  # its types ask for a name and a host, where any will do
    where = (ResourceType.ANY, anything, ResourcePatternType.ANY)
    asked = AclBindingFilter(*where, _USER + principal, anything, AclOperation.ANY, AclPermissionType.ANY)
    found: list[AclBinding] = answer(admin.describe_acls(asked, request_timeout=_SECONDS), _WHAT)
    return found


def _just(one: AclBinding) -> AclBindingFilter:
    """Return the filter that finds this binding alone."""
    where = (one.restype, one.name, one.resource_pattern_type)
    return AclBindingFilter(*where, one.principal, one.host, one.operation, one.permission_type)


def _done(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        answer(future, _WHAT)
