"""Requests are checked against the rules that stand in their proto (protovalidate)."""

import protovalidate
from google.protobuf.message import Message

from sagakit.errors import InvalidArgument, Violation

_TELLING_BYTES = 4096
"""Above it only the first broken rule is told: a list of a million bad items would hold up every other call."""


def check(request: Message) -> None:
    """Check ``request`` against its own rules.

    Raises:
        InvalidArgument: with every field that breaks a rule, once for each rule, however many of a list's items do; so
            that it fits into a response's metadata. Of a very large request with the first one alone.
    """
    found = protovalidate.collect_violations(request, fail_fast=True)
    if found and request.ByteSize() <= _TELLING_BYTES:
        found = protovalidate.collect_violations(request)
    if found:
        raise InvalidArgument(*dict.fromkeys(_violation(violation) for violation in found))


def _violation(violation: protovalidate.Violation) -> Violation:
    path = violation.proto.field
    names = [element.field_name for element in path.elements] if path else []
    return Violation(".".join(names), violation.proto.message or violation.proto.rule_id)
