"""Mutants of what guards against bytes that mean harm: schema ids, letters, batches that nobody can read."""

from tests.mutants.mutant import Mutant

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
}
