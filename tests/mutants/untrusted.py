"""Mutants of what guards against bytes that mean harm: schema ids, letters, batches that nobody can read."""

from tests.mutants.mutant import Mutant

_BATCHES = "tests/integration/test_unreadable_batches.py"
_BOX = "tests/integration/test_dead_letter_box.py"
_SCHEMAS = "tests/integration/test_schema_ids.py"

UNTRUSTED = {
    "ids-of-any-subject": Mutant(
        "sagakit/avro/schema_ids.py",
        "        if not found and not wanted:\n",
        "        if not found:\n"
        "            schema = self._registry.get_schema(schema_id)\n"
        "            found = Writer(name, fastavro.parse_schema(json.loads(schema.schema_str or '')), {})\n"
        "        if not found and not wanted:\n",
        f"{_SCHEMAS}::test_a_schema_of_another_subject_is_not_read_with_though_it_is_the_same_record",
    ),
    "each-invented-id-is-asked-for": Mutant(
        "sagakit/avro/schema_ids.py",
        "if not found and versions.asked < lay_at:",
        "if not found:",
        f"{_SCHEMAS}::test_a_batch_of_what_is_condemned_is_one_look",
    ),
    "looks-without-bound": Mutant(
        "sagakit/avro/versions.py",
        "            time.sleep(early)\n",
        "            pass\n",
        f"{_SCHEMAS}::test_many_batches_of_what_is_condemned_are_few_questions_a_second",
    ),
    "condemned-by-an-older-answer": Mutant(
        "sagakit/avro/schema_ids.py",
        "if not found and versions.asked < lay_at:",
        "if not found and versions.asked < lay_at - 5:",
        f"{_SCHEMAS}::test_what_was_registered_a_moment_ago_is_read_though_its_id_was_condemned_before",
    ),
    "withdrawn-versions-stay": Mutant(
        "sagakit/avro/schema_ids.py",
        "if versions.asked > NEVER}",
        "if versions.asked < NEVER}",
        f"{_SCHEMAS}::test_a_version_that_was_deleted_is_withdrawn",
    ),
    "unreadable-batches-stop": Mutant(
        "sagakit/kafka/unreadable.py",
        "    KafkaError._BAD_COMPRESSION,",
        "    KafkaError._BAD_MSG,",
        f"{_BATCHES}::test_one_is_parked_without_content_and_what_lies_around_it_is_handled",
    ),
    "unreadable-batches-end-anywhere": Mutant(
        "sagakit/kafka/unreadable.py",
        "        while outside - inside > 1:\n",
        "        while False:\n",
        f"{_BATCHES}::test_a_batch_of_many_messages_is_passed_over_to_its_very_end",
    ),
    "unreadable-batches-one-by-one": Mutant(
        "sagakit/kafka/unreadable.py",
        "while look.batch_at(end) is not None and",
        "while False and",
        f"{_BATCHES}::test_many_in_a_row_are_one_letter_and_other_partitions_go_on_meanwhile",
    ),
    "letters-keep-their-old-settings": Mutant(
        "sagakit/service/deploy.py",
        "            keep_settings(admin, letters)\n",
        "",
        "tests/integration/test_contracts.py"
        "::test_dead_letter_topics_that_exist_get_their_settings_and_keep_those_that_an_operator_added",
    ),
    "replay-anywhere": Mutant(
        "sagakit/dead_letters/box.py",
        "if not self._is_read(topic):",
        "if not topic:",
        f"{_BOX}::test_a_planted_letter_that_names_another_groups_topic_is_not_replayed_there",
    ),
    "places-of-any-length": Mutant(
        "sagakit/dead_letters/letter.py",
        "(?P<partition>[0-9]{1,9})",
        "(?P<partition>[0-9]+)",
        "tests/unit/sagakit/dead_letters/test_letter.py"
        "::test_letters_of_earlier_versions_say_so_too_and_those_of_strangers_nothing",
    ),
    "letters-shown-unchecked": Mutant(
        "sagakit/avro/shown_values.py",
        "        untrusted_values.check(value, _HEADER.size, writer)\n",
        "",
        "tests/unit/sagakit/avro/test_shown_values.py::test_what_would_harm_its_reader_is_shown_in_hexadecimal",
    ),
}
