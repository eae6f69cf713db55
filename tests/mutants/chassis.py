"""Mutants of ``chassis/``."""

from tests.mutants.mutant import Mutant

_CONSUMER = "tests/integration/test_consumer.py"
_OFFSETS = "tests/unit/chassis/test_offsets.py"
_ORIGIN = "tests/integration/test_origin.py"

CHASSIS = {
    "rewind-one-too-far": Mutant(
        "chassis/consumer.py",
        "seek(TopicPartition(topic, partition, offset))",
        "seek(TopicPartition(topic, partition, offset + 1))",
        f"{_CONSUMER}::test_a_passing_failure_rewinds_the_batch_and_skips_nothing",
    ),
    "lost-seek": Mutant(
        "chassis/consumer.py",
        "self._consumer.seek(TopicPartition(topic, partition, offset))",
        "pass",
        f"{_CONSUMER}::test_a_passing_failure_rewinds_the_batch_and_skips_nothing",
    ),
    "held-back-not-rewound": Mutant(
        "chassis/consumer.py",
        "        self._rewind(back, ends)\n",
        "        self._offsets.end(ends)\n",
        "tests/integration/test_held_partitions.py"
        "::test_a_message_that_meets_a_bug_holds_up_what_lies_behind_it_and_nothing_is_lost_when_it_is_parked",
    ),
    "add-on-failure": Mutant(
        "chassis/consumer.py",
        "            self._rewind(batch, ends)\n",
        "            self._rewind(batch, ends)\n            self._offsets.add(batch)\n",
        f"{_CONSUMER}::test_while_a_batch_fails_nothing_of_it_is_committed",
    ),
    "revoked-kept": Mutant(
        "chassis/consumer.py",
        "return partition in self._owned and partition not in self._unplaced",
        "return partition not in self._unplaced",
        "tests/integration/test_rebalance.py::test_what_was_collected_of_a_revoked_partition_is_left_to_its_next_owner",
    ),
    "publish-in-transaction": Mutant(
        "chassis/handling.py",
        "        return [self._codec.encode(message) for message in self._handle(messages, tx)]\n",
        "        self._producer.deliver([self._codec.encode(one) for one in self._handle(messages, tx)])\n"
        "        return []\n",
        f"{_CONSUMER}::test_what_cannot_be_committed_is_not_answered",
    ),
    "parked-at-once": Mutant(
        "chassis/handling.py",
        "[(pairs[0][0], error)] if again else self._try(pairs, again=True)",
        "[(pairs[0][0], error)]",
        f"{_CONSUMER}::test_a_poison_message_is_isolated_and_the_rest_has_its_effect",
    ),
    "offset-not-past": Mutant(
        "chassis/offsets.py",
        "offset + 1 for topic, partition, offset",
        "offset for topic, partition, offset",
        f"{_OFFSETS}::test_batches_that_follow_each_other_soon_are_committed_together",
    ),
    "end-of-what-is-rewound": Mutant(
        "chassis/offsets.py",
        " and partition not in self._rewound",
        "",
        f"{_OFFSETS}::test_an_end_that_was_told_of_before_a_batch_was_rewound_is_not_committed",
    ),
    "refused-commit-forgotten": Mutant(
        "chassis/offsets.py",
        "                    continue\n",
        "                    pass\n",
        f"{_OFFSETS}::test_what_was_refused_for_now_is_sent_again",
    ),
    "suspects-of-any-type": Mutant(
        "chassis/suspects.py",
        "return source(raw)[0], dict(headers_of(raw)).get(MESSAGE_TYPE)",
        "return source(raw)[0], None",
        "tests/unit/chassis/test_suspects.py::test_what_is_handled_of_another_type_says_nothing_of_this_one",
    ),
    "deadlocks-are-the-datas-fault": Mutant(
        "chassis/families.py",
        '"40": (Family.PASSING',
        '"40": (Family.DATA',
        "tests/unit/chassis/test_families.py::test_what_the_database_says_is_told_apart",
    ),
    "read-only-is-a-bug": Mutant(
        "chassis/families.py",
        '"25006": Family.PASSING',
        '"25006": Family.OURS',
        "tests/unit/chassis/test_families.py::test_what_the_database_says_is_told_apart",
    ),
    "letter-without-its-key": Mutant(
        "chassis/dead_letters.py",
        'added.append(("dead-letter-key", key))',
        "pass",
        f"{_CONSUMER}::test_a_parked_message_keeps_its_bytes_and_headers",
    ),
    "letter-is-a-tombstone": Mutant(
        "chassis/dead_letters.py",
        'value or b"", (*original(given)',
        "value, (*original(given)",
        "tests/integration/test_bad_messages.py::test_it_is_parked_as_it_came_and_a_later_message_is_handled",
    ),
    "one-letter-for-a-place": Mutant(
        "chassis/dead_letters.py",
        "{offset}@{_fingerprint(message, given)}",
        "{offset}",
        "tests/unit/chassis/test_dead_letters.py::test_another_message_at_the_same_place_has_another",
    ),
    "fingerprint-of-the-bytes-alone": Mutant(
        "chassis/dead_letters.py",
        'b"-" if part is None else b"%d:%b" % (len(part), part)',
        'part or b""',
        "tests/unit/chassis/test_dead_letters.py::test_another_message_at_the_same_place_has_another",
    ),
    "letter-for-each-repeat": Mutant(
        "chassis/dead_letters.py",
        "    if isinstance(error, Repeated):\n",
        "    if False:\n",
        "tests/unit/chassis/test_repeated_letters.py"
        "::test_a_message_that_is_sent_again_has_the_same_letter_wherever_it_lies",
    ),
    "replays-fall-to-the-tombstone": Mutant(
        "chassis/dead_letters.py",
        "{digest[:32]}-round-{rounds}",
        "{digest[:32]}",
        "tests/unit/chassis/test_repeated_letters.py"
        "::test_other_content_another_type_and_another_round_have_letters_of_their_own",
    ),
    "no-cause": Mutant(
        "chassis/messages.py",
        "return (*headers, (CAUSATION_ID, cause.message_id.encode())) if cause else headers",
        "return headers",
        "tests/unit/chassis/test_messages.py::test_an_answer_names_its_cause_and_goes_on_in_its_trace",
    ),
    "any-key": Mutant(
        "chassis/codec.py",
        'if key != b"%d" % record.key:',
        "if key is None:",
        "tests/integration/test_codec.py::test_a_key_that_is_not_the_records_own_is_poison",
    ),
    "batch-not-cut": Mutant(
        "chassis/dispatch.py",
        "for run in cut(messages):",
        "for run in [messages]:",
        "tests/unit/chassis/test_dispatch.py::test_each_type_goes_to_its_handler_and_each_answer_names_its_cause",
    ),
    "group-one-too-large": Mutant(
        "chassis/coalesce.py",
        "self._waiting[: self._largest], self._waiting[self._largest :]",
        "self._waiting[: self._largest + 1], self._waiting[self._largest + 1 :]",
        "tests/unit/chassis/test_coalesce.py::test_no_trip_takes_more_than_the_largest_group",
    ),
    "group-fails-whole": Mutant(
        "chassis/coalesce.py",
        "if len(group) > 1 and is_separable(error):",
        "if len(group) > 1 and not is_separable(error):",
        "tests/unit/chassis/test_coalesce.py::test_what_one_item_makes_fail_fails_for_it_alone",
    ),
    "crowds-are-few": Mutant(
        "chassis/pace.py",
        "_CROWD = 16",
        "_CROWD = 1",
        "tests/unit/chassis/test_pace.py::test_few_callers_never_wait",
    ),
    "page-one-too-long": Mutant(
        "chassis/paging.py",
        "if len(page) == size or",
        "if len(page) > size or",
        "tests/unit/chassis/test_paging.py::test_a_page_has_no_more_entries_than_its_size_and_says_whether_more_are_left",
    ),
    "pauses-without-end": Mutant(
        "chassis/periodic.py",
        "min(self._longest, self._interval * 2 ** min(failures, 16))",
        "self._interval * 2 ** min(failures, 16)",
        "tests/unit/chassis/test_periodic.py::test_however_often_passes_fail_the_pauses_stay_below_the_longest",
    ),
    "aside-for-good": Mutant(
        "chassis/aside.py",
        "seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures, 10))",
        "seconds = _FIRST_SECONDS * 2.0 ** min(failures, 10)",
        "tests/unit/chassis/test_aside.py::test_they_are_left_out_for_ten_minutes_at_most",
    ),
    "halt-without-cap": Mutant(
        "chassis/halt.py",
        "min(_LONGEST_SECONDS, _FIRST_SECONDS * float(2 ** min(self._tries, 10)))",
        "_FIRST_SECONDS * float(2 ** min(self._tries, 10))",
        "tests/unit/chassis/test_halt.py"
        "::test_it_is_tried_again_after_a_second_then_twice_as_long_and_at_most_half_a_minute",
    ),
    "neighbours-apart": Mutant(
        "chassis/placement.py",
        "int(key) // _NEIGHBOURS % count",
        "int(key) % count",
        "tests/unit/chassis/test_placement.py::test_neighbours_share_a_partition_and_the_next_ones_have_the_next",
    ),
    "first-look-believed": Mutant(
        "chassis/lag.py",
        "if self._looked - looked > _STALE_SECONDS:",
        "if False:",
        "tests/integration/test_lag.py::test_the_first_look_says_nothing",
    ),
    "offset-of-the-old-topic": Mutant(
        "chassis/lag.py",
        " and group[one] <= self._ends[one]",
        "",
        "tests/integration/test_lag.py::test_an_offset_of_a_topic_that_is_no_more_says_nothing_of_the_one_made_anew",
    ),
    "busy-is-stalled": Mutant(
        "chassis/watchdog.py",
        "before.get(partition) == at",
        "before.get(partition, at) is not None",
        "tests/integration/test_watchdog.py::test_a_consumer_with_a_backlog_stays_where_it_is",
    ),
    "refusal-ignored": Mutant(
        "chassis/producer.py",
        "        if flight.failed:\n",
        "        if not flight.over:\n",
        "tests/integration/test_outbox.py::test_what_kafka_did_not_take_stays",
    ),
    "row-before-ack": Mutant(
        "chassis/origin.py",
        "        try:\n            await asyncio.to_thread(self._producer.deliver",
        "        self._published += (row for _, row in unsent)\n        if self._removing is None:\n"
        "            self._removing = asyncio.create_task(self._remove_soon())\n"
        "        try:\n            await asyncio.to_thread(self._producer.deliver",
        f"{_ORIGIN}::test_a_row_stays_until_kafka_has_its_message",
    ),
    "said-before-commit": Mutant(
        "chassis/origin.py",
        "        messages = [self._codec.encode(message) for message in outgoing]\n",
        "        messages = [self._codec.encode(message) for message in outgoing]\n"
        "        self._producer.deliver(messages)\n",
        f"{_ORIGIN}::test_what_cannot_be_committed_is_not_said",
    ),
    "published-rows-forgotten": Mutant(
        "chassis/origin.py",
        "            self._published += published\n",
        "",
        f"{_ORIGIN}::test_published_rows_that_a_failed_write_was_to_remove_are_removed_later",
    ),
    "room-twice": Mutant(
        "chassis/backlog.py",
        "self._limit - self._counted - self._since - self._reserved",
        "self._limit - self._counted - self._since",
        f"{_ORIGIN}::test_a_count_does_not_forget_what_is_being_stored_meanwhile",
    ),
    "relay-takes-the-young": Mutant(
        "chassis/outbox.py",
        "create_time < now() - make_interval(secs => %(age)s)",
        "create_time < now() + make_interval(secs => %(age)s)",
        "tests/integration/test_outbox.py::test_what_is_young_is_left_to_the_fast_path",
    ),
    "relay-waits": Mutant(
        "chassis/outbox.py",
        "ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        "ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE",
        "tests/integration/test_outbox.py::test_what_another_relay_has_in_hand_is_left_to_it",
    ),
    "fast-path-waits": Mutant(
        "chassis/outbox.py",
        "ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED",
        "ANY(%(ids)s::bigint[]) FOR UPDATE",
        "tests/integration/test_outbox.py::test_what_a_relay_has_in_hand_is_passed_over_by_whoever_removes_it",
    ),
    "last-claim-counts": Mutant(
        "chassis/claims.py",
        "else owner or installation",
        "else installation",
        "tests/integration/test_claims.py::test_what_compaction_keeps_is_the_claim_that_counts",
    ),
    "anybodys-group": Mutant(
        "chassis/claims.py",
        "if owner != installation:",
        "if owner is None:",
        "tests/integration/test_claims.py::test_who_comes_first_has_the_group_and_who_comes_second_is_refused",
    ),
    "failed-commit-untold": Mutant(
        "chassis/pipeline.py",
        "        if self._failure:\n            raise self._failure\n",
        "",
        "tests/integration/test_pipeline.py::test_a_commit_that_fails_is_told_and_undoes_everything",
    ),
    "committed-twice": Mutant(
        "chassis/database.py",
        " or (transaction and transaction.committed)",
        "",
        "tests/integration/test_stale_connections.py::test_what_is_committed_in_part_is_not_done_again",
    ),
    "nobody-is-asked-to-follow": Mutant(
        "chassis/changes.py",
        "SELECT NOT pg_try_advisory_xact_lock",
        "SELECT pg_try_advisory_xact_lock",
        "tests/integration/test_changes.py::test_nothing_is_notified_unless_somebody_follows",
    ),
}
