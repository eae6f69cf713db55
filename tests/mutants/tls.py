"""Mutants of TLS: of files that are read again, and of who may call."""

from tests.mutants.mutant import Mutant

_FILES = "tests/unit/sagakit/runtime/test_tls_files.py"
_KAFKA = "tests/security/test_kafka_tls.py"
_RPC = "tests/unit/sagakit/rpc/test_tls.py"

TLS = {
    "certificate-never-read-again": Mutant(
        "sagakit/rpc/credentials.py",
        "_configuration(current) if current.have_changed() else None",
        "None",
        f"{_RPC}::test_a_connection_that_is_made_after_the_files_have_changed_gets_the_new_certificate",
    ),
    "half-a-pair-taken": Mutant(
        "sagakit/runtime/tls_files.py",
        "checked.certificate and checked.key and not _is_pair(checked.certificate, checked.key)",
        "False",
        f"{_FILES}::test_what_is_half_written_is_reported_once_and_taken_when_it_is_whole",
    ),
    "swapped-files-looked-at-once": Mutant(
        "sagakit/runtime/tls_files.py",
        "            self._seen = _read(self._files)\n",
        "",
        f"{_FILES}::test_files_that_are_swapped_between_two_looks_at_them_are_looked_at_once_more",
    ),
    "metrics-certificate-never-read-again": Mutant(
        "sagakit/runtime/server_tls.py",
        "if self._current.have_changed():",
        "if False:",
        "tests/unit/sagakit/runtime/test_metrics_server.py::test_a_renewed_certificate_is_shown_once_it_is_whole",
    ),
    "one-thread-for-handshakes": Mutant(
        "sagakit/runtime/metrics_server.py",
        "class _Server(ThreadingHTTPServer):",
        "from http.server import HTTPServer\n\n\nclass _Server(HTTPServer):",
        "tests/unit/sagakit/runtime/test_metrics_server.py::test_who_says_nothing_keeps_nobody_waiting",
    ),
    "probes-end-first": Mutant(
        "sagakit/rpc/server.py",
        "        await self._health.enter_graceful_shutdown()\n",
        "        await self._health.enter_graceful_shutdown()\n        await self._probed.stop(None)\n",
        f"{_RPC}::test_probes_are_told_until_the_end_that_a_server_stops",
    ),
    "renewed-files-never-taken": Mutant(
        "sagakit/kafka/renewed_files.py",
        "self._untaken = self._current.have_changed() or self._untaken",
        "self._untaken = False",
        f"{_KAFKA}::test_a_renewed_certificate_is_taken_while_messages_come_and_go_and_none_is_lost",
    ),
    "files-taken-that-nobody-believes": Mutant(
        "sagakit/kafka/renewed_files.py",
        "self._untaken and another_is_answered(self._client)",
        "self._untaken",
        f"{_KAFKA}::test_files_that_no_broker_believes_are_not_taken",
    ),
    "former-client-dropped": Mutant(
        "sagakit/kafka/producer.py",
        "        while former.flush(_FLUSH_SECONDS) and",
        "        while not former and",
        f"{_KAFKA}::test_a_renewed_certificate_is_taken_while_messages_come_and_go_and_none_is_lost",
        survives="whoever waits for a message flushes the former client too: what is lost takes a network that is slow",
    ),
    "registry-files-never-read-again": Mutant(
        "sagakit/avro/renewed_registry.py",
        "self._untaken = self._current.have_changed() or self._untaken",
        "self._untaken = False",
        "tests/security/test_registry_tls.py::test_renewed_files_are_taken_and_half_of_them_are_not",
    ),
    "client-certificate-not-wanted": Mutant(
        "sagakit/rpc/credentials.py",
        "require_client_authentication=files.authority.path is not None",
        "require_client_authentication=False",
        f"{_RPC}::test_only_clients_of_the_names_that_are_given_may_call",
    ),
    "connections-without-a-bound": Mutant(
        "sagakit/rpc/connections.py",
        '        ("grpc.max_allowed_incoming_connections", most_connections()),\n',
        "",
        "tests/unit/sagakit/rpc/test_connections.py"
        "::test_past_the_bound_a_connection_is_closed_and_those_that_are_there_and_probes_go_on",
    ),
    "any-client-may-call": Mutant(
        "sagakit/rpc/guard.py",
        "        self._clients.must_include(context)\n",
        "",
        f"{_RPC}::test_only_clients_of_the_names_that_are_given_may_call",
    ),
    "common-name-counts": Mutant(
        "sagakit/rpc/clients.py",
        "context.peer_identity_key() == _ALTERNATIVE_NAMES and ",
        "",
        f"{_RPC}::test_only_clients_of_the_names_that_are_given_may_call",
    ),
}
