"""Mutants of what closes the system: who may do what."""

from tests.mutants.mutant import Mutant

_ACCESS = "tests/unit/sagakit/service/test_access.py"

SECURITY = {
    "service-writes-its-inputs": Mutant(
        "sagakit/service/access.py",
        "for topic in (*service.writes, dead_letters, group_owner.TOPIC):",
        "for topic in (*service.writes, *service.reads, dead_letters, group_owner.TOPIC):",
        f"{_ACCESS}::test_only_the_orchestrator_and_a_replay_may_command",
    ),
    "operators-send": Mutant(
        "sagakit/service/access.py",
        '            yield Grant(OPERATORS, "DESCRIBE", "TOPIC", topic)\n',
        '            yield Grant(OPERATORS, "WRITE", "TOPIC", topic)\n',
        f"{_ACCESS}::test_operators_look_at_everything_and_send_no_message_of_the_business",
    ),
    "console-sends": Mutant(
        "sagakit/service/access.py",
        '        yield Grant(CONSOLE, "WRITE", "TOPIC", topic_of(service.name))\n',
        '        yield Grant(CONSOLE, "WRITE", "TOPIC", service.reads[0])\n',
        f"{_ACCESS}::test_the_console_reads_every_message_and_writes_none_but_the_marks_of_dead_letters",
    ),
    "logins-without-a-password": Mutant(
        "sagakit/service/logins.py",
        "for name, password in found.items() if not password]",
        "for name, password in found.items() if password is None]",
        "tests/unit/sagakit/service/test_logins.py::test_an_empty_password_is_a_mistake",
    ),
    "logins-lent-to-strangers": Mutant(
        "ordersaga_cli/places.py",
        "if stack is None or not address or address != running(place):\n",
        "if stack is None or not address:\n",
        "tests/unit/ordersaga_cli/test_places.py::test_a_closed_stack_lends_its_logins_for_its_own_addresses_alone",
    ),
    "stacks-noted-by-strangers": Mutant(
        "ordersaga_cli/stacks.py",
        "read_own(pointer()).decode()",
        "pointer().read_bytes().decode()",
        "tests/unit/ordersaga_cli/test_finding_a_stack.py::test_a_note_that_others_can_write_is_refused_in_words",
    ),
    "revisions-writable": Mutant(
        "sagakit/postgres/roles.py",
        '    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {schema}.{revisions} FROM {role}",\n',
        "",
        "tests/integration/test_roles.py::test_what_was_granted_too_much_is_taken_away_by_the_next_migration",
    ),
    "public-gets-in": Mutant(
        "sagakit/postgres/roles.py",
        '    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",\n',
        "",
        "tests/integration/test_roles.py::test_what_is_granted_lets_nobody_else_in",
    ),
}
