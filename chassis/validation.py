"""Requests are checked against the rules that stand in their proto (protovalidate)."""

import protovalidate
from google.protobuf.message import Message

from chassis.errors import InvalidArgument, Violation


def check(request: Message) -> None:
    """Check ``request`` against its own rules.

    Raises:
        InvalidArgument: with every field that breaks a rule.
    """
    found = protovalidate.collect_violations(request)
    if found:
        raise InvalidArgument(*(_violation(violation) for violation in found))


def _violation(violation: protovalidate.Violation) -> Violation:
    path = violation.proto.field
    names = [element.field_name for element in path.elements] if path else []
    return Violation(".".join(names), violation.proto.message or violation.proto.rule_id)
