"""A saga's row and an event's have their fields as columns: so statements and reading need not name them again."""

from dataclasses import fields

from sagakit.orchestrator.tables import saga_events, sagas
from sagakit.saga.instance import Event, Instance


def test_a_saga_has_a_column_for_each_field_in_the_same_order() -> None:
    """But for ``fault``, which says what is wrong with a row."""
    assert sagas.c.keys() == [field.name for field in fields(Instance) if field.name != "fault"]


def test_an_event_has_a_column_for_each_field() -> None:
    assert saga_events.c.keys() == list(Event._fields)
