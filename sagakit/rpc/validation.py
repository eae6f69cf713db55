"""Checks requests against the rules in their proto files (protovalidate)."""

import protovalidate
from google.protobuf.message import Message

from sagakit.errors import InvalidArgument, Violation

_DETAILED_BYTES = 4096
"""Of a larger request only the first broken rule is reported: checking a million bad items would delay other calls."""


def check(request: Message) -> None:
    """Check ``request`` against its own rules.

    Raises:
        InvalidArgument: with every field that breaks a rule, or of a large request the first alone. A field of a list's
            items counts once for each rule, so that all fits into the response's metadata.
    """
    found = protovalidate.collect_violations(request, fail_fast=True)
    if found and request.ByteSize() <= _DETAILED_BYTES:
        found = protovalidate.collect_violations(request)
    if found:
        raise InvalidArgument(*dict.fromkeys(_violation(violation) for violation in found))


def _violation(violation: protovalidate.Violation) -> Violation:
    path = violation.proto.field
    names = [element.field_name for element in path.elements] if path else []
    return Violation(".".join(names), violation.proto.message or violation.proto.rule_id)
