"""Mutants of ``sagakit/``."""

from tests.mutants.mutant import Mutant

_CONSUMER = "tests/integration/test_consumer.py"
_MEMBERSHIP = "tests/unit/sagakit/consumer/test_membership.py"
_OFFSETS = "tests/unit/sagakit/offsets/test_handled.py"
_WRITER = "tests/integration/test_outbox_writer.py"
_QUOTAS = "tests/unit/sagakit/rpc/test_quotas.py"

KIT = {
    "rewind-one-too-far": Mutant(
        "sagakit/consumer/consumer.py",
        "seek(TopicPartition(topic, partition, offset))",
        "seek(TopicPartition(topic, partition, offset + 1))",
        f"{_CONSUMER}::test_a_passing_failure_rewinds_the_batch_and_skips_nothing",
    ),
    "lost-seek": Mutant(
        "sagakit/consumer/consumer.py",
        "self._membership.client.seek(TopicPartition(topic, partition, offset))",
        "pass",
        f"{_CONSUMER}::test_a_passing_failure_rewinds_the_batch_and_skips_nothing",
    ),
    "held-back-not-rewound": Mutant(
        "sagakit/consumer/consumer.py",
        "        self._rewind(back, ends)\n",
        "        self._offsets.end(ends)\n",
        "tests/integration/test_held_partitions.py"
        "::test_a_message_that_meets_a_bug_holds_up_what_lies_behind_it_and_nothing_is_lost_when_it_is_parked",
    ),
    "add-on-failure": Mutant(
        "sagakit/consumer/consumer.py",
        "            self._rewind(batch, ends)\n",
        "            self._rewind(batch, ends)\n            self._offsets.add(batch)\n",
        f"{_CONSUMER}::test_while_a_batch_fails_nothing_of_it_is_committed",
    ),
    "revoked-kept": Mutant(
        "sagakit/consumer/membership.py",
        "return partition in self.owned and partition not in self.unplaced",
        "return partition not in self.unplaced",
        "tests/integration/test_rebalance.py::test_what_was_collected_of_a_revoked_partition_is_left_to_its_next_owner",
    ),
    "former-client-believed": Mutant(
        "sagakit/consumer/membership.py",
        "            if number == self._current:\n",
        "            if number is not None:\n",
        f"{_MEMBERSHIP}::test_a_former_client_changes_nothing_that_its_successor_owns",
    ),
    "leaves-before-it-commits": Mutant(
        "sagakit/consumer/membership.py",
        "        self._offset_keeper.close(self.client, wait=wait)\n        self._current += 1\n"
        "        leave(self.client, _LEAVING_SECONDS)\n",
        "        leave(self.client, _LEAVING_SECONDS)\n        self._current += 1\n",
        f"{_MEMBERSHIP}::test_what_was_handled_is_committed_once_before_the_client_leaves"
        "_and_in_the_thread_of_the_consumer",
    ),
    "publish-in-transaction": Mutant(
        "sagakit/consumer/batch_handler.py",
        "        return [self._codec.encode(message) for message in self._handle(messages, pipeline)]\n",
        "        self._producer.deliver([self._codec.encode(one) for one in self._handle(messages, pipeline)])\n"
        "        return []\n",
        f"{_CONSUMER}::test_what_cannot_be_committed_is_not_answered",
    ),
    "parked-at-once": Mutant(
        "sagakit/consumer/batch_handler.py",
        "[(pairs[0][0], error)] if again else self._try(pairs, again=True)",
        "[(pairs[0][0], error)]",
        f"{_CONSUMER}::test_a_poison_message_is_isolated_and_the_rest_has_its_effect",
    ),
    "offset-not-past": Mutant(
        "sagakit/offsets/handled.py",
        "offset + 1 for topic, partition, offset",
        "offset for topic, partition, offset",
        f"{_OFFSETS}::test_batches_that_follow_each_other_soon_are_committed_together",
    ),
    "end-of-what-is-rewound": Mutant(
        "sagakit/offsets/handled.py",
        " and partition not in self._rewound",
        "",
        f"{_OFFSETS}::test_an_end_that_was_reported_before_a_batch_was_rewound_is_not_committed",
    ),
    "refused-commit-forgotten": Mutant(
        "sagakit/offsets/handled.py",
        "                    continue\n",
        "                    pass\n",
        f"{_OFFSETS}::test_what_was_refused_for_now_is_sent_again",
    ),
    "suspects-of-any-type": Mutant(
        "sagakit/consumer/held_back.py",
        "return source(raw)[0], dict(headers_of(raw)).get(MESSAGE_TYPE)",
        "return source(raw)[0], None",
        "tests/unit/sagakit/consumer/test_held_back.py::test_what_is_handled_of_another_type_says_nothing_of_this_one",
    ),
    "deadlocks-are-the-datas-fault": Mutant(
        "sagakit/postgres/error_families.py",
        '"40": (Family.PASSING',
        '"40": (Family.DATA',
        "tests/unit/sagakit/test_families.py::test_each_error_of_the_database_has_its_family",
    ),
    "read-only-is-a-bug": Mutant(
        "sagakit/postgres/error_families.py",
        '"25006": Family.PASSING',
        '"25006": Family.OURS',
        "tests/unit/sagakit/test_families.py::test_each_error_of_the_database_has_its_family",
    ),
    "letter-without-its-key": Mutant(
        "sagakit/dead_letters/letter.py",
        'added.append(("dead-letter-key", key))',
        "pass",
        f"{_CONSUMER}::test_a_parked_message_keeps_its_bytes_and_headers",
    ),
    "letter-is-a-tombstone": Mutant(
        "sagakit/dead_letters/letter.py",
        'value or b"", (*original(given)',
        "value, (*original(given)",
        "tests/integration/test_bad_messages.py::test_it_is_parked_as_it_came_and_a_later_message_is_handled",
    ),
    "one-letter-for-a-place": Mutant(
        "sagakit/dead_letters/letter.py",
        "{offset}@{_fingerprint(message, given)}",
        "{offset}",
        "tests/unit/sagakit/dead_letters/test_letter.py::test_another_message_at_the_same_place_has_another",
    ),
    "fingerprint-of-the-bytes-alone": Mutant(
        "sagakit/dead_letters/letter.py",
        'b"-" if part is None else b"%d:%b" % (len(part), part)',
        'part or b""',
        "tests/unit/sagakit/dead_letters/test_letter.py::test_another_message_at_the_same_place_has_another",
    ),
    "letter-for-each-repeat": Mutant(
        "sagakit/dead_letters/letter.py",
        "    if isinstance(error, Repeated):\n",
        "    if False:\n",
        "tests/unit/sagakit/dead_letters/test_repeated_letters.py"
        "::test_a_message_that_is_sent_again_has_the_same_letter_wherever_it_lies",
    ),
    "replays-fall-to-the-tombstone": Mutant(
        "sagakit/dead_letters/letter.py",
        "{digest[:32]}-round-{rounds}",
        "{digest[:32]}",
        "tests/unit/sagakit/dead_letters/test_repeated_letters.py"
        "::test_other_content_another_type_and_another_round_have_letters_of_their_own",
    ),
    "no-cause": Mutant(
        "sagakit/messages.py",
        "return (*headers, (CAUSATION_ID, cause.message_id.encode())) if cause else headers",
        "return headers",
        "tests/unit/sagakit/test_messages.py::test_an_answer_names_its_cause_and_goes_on_in_its_trace",
    ),
    "any-key": Mutant(
        "sagakit/avro/codec.py",
        'if key != b"%d" % record.key:',
        "if key is None:",
        "tests/integration/test_codec.py::test_a_key_that_is_not_the_records_own_is_poison",
    ),
    "batch-not-cut": Mutant(
        "sagakit/consumer/dispatch.py",
        "for run in cut(messages):",
        "for run in [messages]:",
        "tests/unit/sagakit/consumer/test_dispatch.py::test_each_type_goes_to_its_handler_and_each_answer_names_its_cause",
    ),
    "group-one-too-large": Mutant(
        "sagakit/outbox/group_commit.py",
        "self._waiting[: self._largest], self._waiting[self._largest :]",
        "self._waiting[: self._largest + 1], self._waiting[self._largest + 1 :]",
        "tests/unit/sagakit/outbox/test_group_commit.py::test_no_trip_takes_more_than_the_largest_group",
    ),
    "group-fails-whole": Mutant(
        "sagakit/outbox/group_commit.py",
        "if len(group) > 1 and is_separable(error):",
        "if len(group) > 1 and not is_separable(error):",
        "tests/unit/sagakit/outbox/test_group_commit.py::test_what_one_item_makes_fail_fails_for_it_alone",
    ),
    "crowds-are-few": Mutant(
        "sagakit/outbox/pacing.py",
        "_CROWD = 16",
        "_CROWD = 1",
        "tests/unit/sagakit/outbox/test_pacing.py::test_few_callers_never_wait",
    ),
    "page-one-too-long": Mutant(
        "sagakit/rpc/paging.py",
        "if len(page) == size or",
        "if len(page) > size or",
        "tests/unit/sagakit/rpc/test_paging.py::test_a_page_has_no_more_entries_than_its_size_and_says_whether_more_are_left",
    ),
    "pauses-without-end": Mutant(
        "sagakit/runtime/periodic.py",
        "min(self._longest, self._interval * 2 ** min(failures, 16))",
        "self._interval * 2 ** min(failures, 16)",
        "tests/unit/sagakit/runtime/test_periodic.py::test_however_often_passes_fail_the_pauses_stay_below_the_longest",
    ),
    "aside-for-good": Mutant(
        "sagakit/runtime/set_aside.py",
        "seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures, 10))",
        "seconds = _FIRST_SECONDS * 2.0 ** min(failures, 10)",
        "tests/unit/sagakit/runtime/test_set_aside.py::test_they_are_left_out_for_ten_minutes_at_most",
    ),
    "halt-without-cap": Mutant(
        "sagakit/consumer/halt.py",
        "min(_LONGEST_SECONDS, _FIRST_SECONDS * float(2 ** min(self._tries, 10)))",
        "_FIRST_SECONDS * float(2 ** min(self._tries, 10))",
        "tests/unit/sagakit/consumer/test_halt.py"
        "::test_it_is_tried_again_after_a_second_then_twice_as_long_and_at_most_half_a_minute",
    ),
    "neighbours-apart": Mutant(
        "sagakit/kafka/partitioner.py",
        "int(key) // _NEIGHBOURS % count",
        "int(key) % count",
        "tests/unit/sagakit/kafka/test_partitioner.py::test_neighbours_share_a_partition_and_the_next_ones_have_the_next",
    ),
    "first-look-believed": Mutant(
        "sagakit/offsets/group_lag.py",
        "if self._looked - looked > _STALE_SECONDS:",
        "if False:",
        "tests/integration/test_group_lag.py::test_the_first_look_says_nothing",
    ),
    "offset-of-the-old-topic": Mutant(
        "sagakit/offsets/group_lag.py",
        " and group[one] <= self._ends[one]",
        "",
        "tests/integration/test_group_lag.py::test_an_offset_of_a_topic_that_is_no_more_says_nothing_of_the_one_made_anew",
    ),
    "busy-is-stalled": Mutant(
        "sagakit/consumer/stalled_partitions.py",
        "before.get(partition) == at",
        "before.get(partition, at) is not None",
        "tests/integration/test_stalled_partitions.py::test_a_consumer_that_lags_behind_stays_in_its_group",
    ),
    "refusal-ignored": Mutant(
        "sagakit/kafka/producer.py",
        "        if flight.failed:\n",
        "        if not flight.over:\n",
        "tests/integration/test_outbox.py::test_what_kafka_did_not_take_stays",
    ),
    "row-before-ack": Mutant(
        "sagakit/outbox/writer.py",
        "        try:\n            await asyncio.to_thread(self._producer.deliver",
        "        self._published += (row for _, row in unsent)\n        if self._removing is None:\n"
        "            self._removing = asyncio.create_task(self._remove_soon())\n"
        "        try:\n            await asyncio.to_thread(self._producer.deliver",
        f"{_WRITER}::test_a_row_stays_until_kafka_has_its_message",
    ),
    "said-before-commit": Mutant(
        "sagakit/outbox/writer.py",
        "        messages = [self._codec.encode(message) for message in outgoing]\n",
        "        messages = [self._codec.encode(message) for message in outgoing]\n"
        "        self._producer.deliver(messages)\n",
        f"{_WRITER}::test_what_cannot_be_committed_is_not_said",
    ),
    "not-there-in-other-tables": Mutant(
        "sagakit/outbox/writer.py",
        "            timelines.must_still_be_whole(tx)\n",
        "            timelines.must_be_whole()\n",
        "tests/integration/test_outbox_writer.py"
        "::test_what_is_not_found_in_other_tables_than_were_there_may_be_restored_yet",
    ),
    "other-tables-pass": Mutant(
        "sagakit/outbox/writer.py",
        "        timelines.must_have(tx, tables)\n",
        "",
        "tests/integration/test_outbox_writer.py"
        "::test_a_write_that_meets_other_tables_than_were_there_is_refused_and_leaves_nothing",
    ),
    "any-table-that-is-missing-was-overwritten": Mutant(
        "sagakit/postgres/timelines.py",
        " and _NO_SUCH_TABLE in str(error)",
        "",
        f"{_WRITER}::test_a_table_that_is_missing_is_not_taken_for_one_that_was_overwritten",
    ),
    "cancelled-writes-take-no-room": Mutant(
        "sagakit/outbox/writer.py",
        "await asyncio.shield(self._write(most, function, beneath))",
        "await self._write(most, function, beneath)",
        f"{_WRITER}::test_a_write_whose_caller_is_cancelled_keeps_its_room_and_is_published",
    ),
    "published-rows-forgotten": Mutant(
        "sagakit/outbox/writer.py",
        "            self._published += published\n",
        "",
        f"{_WRITER}::test_published_rows_that_a_failed_write_was_to_remove_are_removed_later",
    ),
    "room-twice": Mutant(
        "sagakit/outbox/bound.py",
        "self._limit - self._counted - self._since - self._reserved",
        "self._limit - self._counted - self._since",
        f"{_WRITER}::test_a_count_does_not_forget_what_is_being_stored_meanwhile",
    ),
    "relay-takes-the-young": Mutant(
        "sagakit/outbox/relay.py",
        "create_time < now() - make_interval(secs => %(age)s)",
        "create_time < now() + make_interval(secs => %(age)s)",
        "tests/integration/test_outbox.py::test_what_is_young_is_left_to_the_fast_path",
    ),
    "relay-waits": Mutant(
        "sagakit/outbox/relay.py",
        "ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        "ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE",
        "tests/integration/test_outbox.py::test_what_another_relay_has_in_hand_is_left_to_it",
    ),
    "fast-path-waits": Mutant(
        "sagakit/outbox/table.py",
        "ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED",
        "ANY(%(ids)s::bigint[]) FOR UPDATE",
        "tests/integration/test_outbox.py::test_what_a_relay_has_in_hand_is_passed_over_by_whoever_removes_it",
    ),
    "last-claim-counts": Mutant(
        "sagakit/kafka/group_owner.py",
        "else owner or installation",
        "else installation",
        "tests/integration/test_group_owner.py::test_what_compaction_keeps_is_the_claim_that_counts",
    ),
    "anybodys-group": Mutant(
        "sagakit/kafka/group_owner.py",
        "if owner != installation:",
        "if owner is None:",
        "tests/integration/test_group_owner.py::test_who_comes_first_has_the_group_and_who_comes_second_is_refused",
    ),
    "failed-commit-not-raised": Mutant(
        "sagakit/postgres/pipeline.py",
        "        if self._failure:\n            raise self._failure\n",
        "",
        "tests/integration/test_pipeline.py::test_a_commit_that_fails_raises_and_undoes_everything",
    ),
    "committed-twice": Mutant(
        "sagakit/postgres/database.py",
        " or (pipeline and pipeline.committed)",
        "",
        "tests/integration/test_stale_connections.py::test_what_is_committed_in_part_is_not_done_again",
    ),
    "nobody-is-asked-to-follow": Mutant(
        "sagakit/postgres/notifications.py",
        "SELECT NOT pg_try_advisory_xact_lock",
        "SELECT pg_try_advisory_xact_lock",
        "tests/integration/test_notifications.py::test_nothing_is_notified_unless_somebody_follows",
    ),
    "missed-changes-unsaid": Mutant(
        "sagakit/postgres/followers.py",
        "        if self.end - start > _MOST_CHANGES:\n            return None\n",
        "",
        "tests/unit/sagakit/postgres/test_followers.py::test_who_asks_too_late_is_told_that_he_missed_some_and_then_goes_on",
    ),
    "scans-take-the-threads-of-short-transactions": Mutant(
        "sagakit/postgres/database.py",
        "_beside_the_loop(self._scanning, function)",
        "_beside_the_loop(self._threads, function)",
        "tests/integration/test_database.py::test_a_short_transaction_does_not_wait_for_reads_that_scan",
    ),
    "a-bucket-without-a-bottom": Mutant(
        "sagakit/rpc/quotas.py",
        "        if late > _ROUNDING:\n",
        "        if late > self._burst:\n",
        f"{_QUOTAS}::test_a_full_bucket_is_a_burst_and_then_there_is_a_call_for_each_interval",
    ),
    "a-bucket-that-fills-beyond-its-rim": Mutant(
        "sagakit/rpc/quotas.py",
        "max(self._full_at.pop(caller, now), now)",
        "self._full_at.pop(caller, now)",
        f"{_QUOTAS}::test_a_bucket_holds_no_more_than_a_burst_however_long_its_caller_is_silent",
    ),
    "streams-of-many-callers-keep-calls-out": Mutant(
        "sagakit/rpc/guard.py",
        "if stream and self.streams > self._most_streams:",
        "if stream and self.under_way > self._most:",
        "tests/unit/sagakit/rpc/test_guard_many_calls.py::test_streams_of_however_many_callers_leave_room_for_calls",
    ),
    "cancelled-calls-are-not-told-from-late-ones": Mutant(
        "sagakit/rpc/observed.py",
        "if left is not None and left <= _CLOSE_SECONDS + seconds * _CLOSE_SHARE:",
        "if left is not None:",
        "tests/unit/sagakit/rpc/test_observed.py::test_a_call_that_its_client_cancels_is_counted_as_cancelled",
    ),
    "one-caller-s-lists-go-first": Mutant(
        "sagakit/rpc/guard.py",
        "quotas.list if _short(method).startswith(_LISTS) else quotas.call",
        "quotas.call",
        "tests/unit/sagakit/rpc/test_guard_many_calls.py::test_one_caller_s_calls_under_way_leave_room_for_another_s",
    ),
    "one-caller-takes-all-calls": Mutant(
        "sagakit/rpc/quotas.py",
        "self._calls, caller, self._most_calls,",
        "self._calls, caller, self._burst,",
        "tests/unit/sagakit/rpc/test_guard_many_calls.py::test_one_caller_s_calls_under_way_leave_room_for_another_s",
    ),
}
