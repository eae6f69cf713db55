"""Mutants of what reads again what a database that went back has forgotten."""

from tests.mutants.mutant import Mutant

_OFFSET_KEEPER = "tests/unit/sagakit/consumer/test_offset_keeper.py"
_GOING_BACK = "tests/integration/test_going_back.py"
_BATCH_HANDLER = "tests/unit/sagakit/consumer/test_batch_handler.py"
_OFFSETS = "tests/unit/sagakit/offsets/test_handled.py"
_PLACES = "tests/unit/sagakit/offsets/test_starting_points.py"
_RECOVERY = "tests/unit/order_svc/test_recovery.py"
_SAGA = "tests/unit/sagakit/saga/test_advance.py"

GOING_BACK = {
    "committed-before-it-is-stored": Mutant(
        "sagakit/offsets/handled.py",
        "        self._unstored |= handled\n",
        "        self._unstored |= handled\n        self._uncommitted |= handled\n",
        f"{_OFFSETS}::test_nothing_is_committed_that_the_database_does_not_have",
    ),
    "stored-and-never-committed": Mutant(
        "sagakit/offsets/handled.py",
        "            self._uncommitted[partition] = offset\n",
        "",
        f"{_OFFSETS}::test_what_is_handled_is_to_be_committed",
    ),
    "as-much-is-less": Mutant(
        "sagakit/offsets/handled.py",
        "if stored.get(partition, -1) < offset]",
        "if stored.get(partition, -1) <= offset]",
        f"{_OFFSETS}::test_a_database_that_has_as_much_or_more_did_not",
    ),
    "committed-while-catching-up": Mutant(
        "sagakit/offsets/handled.py",
        "if self._once and self._once.get(partition, -1) > offset:",
        "if False:",
        f"{_OFFSETS}::test_until_it_has_caught_up_nothing_is_committed",
    ),
    "any-offset-was-stored": Mutant(
        "sagakit/offsets/starting_points.py",
        "one.metadata == MARK",
        "one.offset >= 0",
        f"{_PLACES}::test_it_is_where_the_group_is_unless_the_database_has_less",
    ),
    "read-from-what-is-deleted": Mutant(
        "sagakit/offsets/starting_points.py",
        "Start(max(at, begin), stored, once)",
        "Start(min(at, begin), stored, once)",
        f"{_PLACES}::test_it_is_where_the_group_is_unless_the_database_has_less",
    ),
    "forgotten-and-not-read-again": Mutant(
        "sagakit/offsets/starting_points.py",
        "Start(max(at, begin), stored, once)",
        "Start(once, stored, once)",
        f"{_GOING_BACK}::test_a_database_restored_while_the_service_is_stopped_is_caught_up_at_its_start",
    ),
    "deleted-and-unreported": Mutant(
        "sagakit/offsets/starting_points.py",
        "    _DELETED.inc(begin - first)\n",
        "",
        f"{_GOING_BACK}::test_what_kafka_does_not_have_either_is_reported",
    ),
    "offsets-with-the-batch-itself": Mutant(
        "sagakit/consumer/batch_handler.py",
        "        stored_offsets.write(pipeline, before, self._offsets.known)\n",
        "        own = {(m.topic, m.partition): m.offset + 1 for m in messages}\n"
        "        stored_offsets.write(pipeline, {**before, **own}, self._offsets.known)\n",
        f"{_BATCH_HANDLER}::test_a_batch_takes_along_the_offsets_of_those_before_it_and_not_its_own",
    ),
    "offsets-left-behind": Mutant(
        "sagakit/consumer/batch_handler.py",
        "        stored_offsets.write(pipeline, before, self._offsets.known)\n",
        "",
        f"{_BATCH_HANDLER}::test_a_batch_takes_along_the_offsets_of_those_before_it_and_not_its_own",
    ),
    "new-connection-believed": Mutant(
        "sagakit/consumer/batch_handler.py",
        "database.kept(self._must_not_be_back)",
        "database.kept(lambda _: None)",
        f"{_BATCH_HANDLER}::test_a_new_connection_is_not_used_where_it_has_another_history",
    ),
    "less-is-overwritten": Mutant(
        "sagakit/offsets/stored_offsets.py",
        "CASE WHEN known IS NULL OR has.next_offset = known THEN",
        "CASE WHEN known IS NULL OR has IS NULL OR has.next_offset <= known THEN",
        f"{_GOING_BACK}::test_tables_that_are_overwritten_in_place_are_noticed_by_the_next_message",
    ),
    "less-is-the-messages-fault": Mutant(
        "sagakit/consumer/batch_handler.py",
        "            if stored_offsets.has_less(error):\n",
        "            if False:\n",
        f"{_BATCH_HANDLER}::test_no_message_is_to_blame_for_tables_that_were_overwritten",
    ),
    "overwritten-and-not-looked-at": Mutant(
        "sagakit/consumer/batch_handler.py",
        "        self._offsets.must_be_stored(self.stored())\n",
        "        self.stored()\n",
        f"{_GOING_BACK}::test_tables_that_are_overwritten_in_place_are_noticed_while_nothing_comes",
    ),
    "compared-before-it-is-locked": Mutant(
        "sagakit/offsets/stored_offsets.py",
        "                            FOR NO KEY UPDATE) AS has",
        "                            ) AS has",
        "tests/integration/test_stored_offsets.py"
        "::test_a_former_owner_that_waits_for_the_new_owners_commit_does_not_lower_its_offset",
    ),
    "lowered-by-who-comes-late": Mutant(
        "sagakit/offsets/stored_offsets.py",
        "greatest(given.next_offset, has.next_offset)",
        "given.next_offset",
        "tests/integration/test_memory_database.py::test_an_offset_that_another_member_has_stored_since_is_not_lowered",
    ),
    "another-history-believed": Mutant(
        "sagakit/offsets/handled.py",
        "        if self._history not in {None, history}:\n",
        "        if False:\n",
        f"{_OFFSETS}::test_another_history_may_lack_what_was_handled_last",
    ),
    "idle-and-blind": Mutant(
        "sagakit/consumer/offset_keeper.py",
        "elif now - self._looked > _LOOK_SECONDS:",
        "elif False:",
        f"{_GOING_BACK}::test_an_idle_service_notices_by_itself",
    ),
    "last-offsets-are-not-stored": Mutant(
        "sagakit/consumer/offset_keeper.py",
        "        if self._offsets.pending:\n",
        "        if self._offsets.due:\n",
        f"{_OFFSET_KEEPER}::test_what_was_handled_last_is_stored_and_committed_at_the_end",
    ),
    "never-heard-of-is-passed-over": Mutant(
        "sagakit/consumer/parking.py",
        "for _, error in failed) and is_behind():",
        "for _, error in failed):",
        f"{_GOING_BACK}::test_what_is_not_heard_of_yet_is_no_dead_letter_while_it_is_caught_up",
    ),
    "nothing-is-missing": Mutant(
        "sagakit/offsets/group_lag.py",
        "return self._committed is None or bool(forgotten(self._committed, stored))",
        "return self._committed is None",
        f"{_GOING_BACK}::test_all_replicas_see_that_something_is_missing_until_it_has_come_again",
    ),
    "cancel-undoes-what-is-known": Mutant(
        "sagakit/saga/transition.py",
        "        undoing = self.undo_all(CANCEL_REQUESTED) | changes\n",
        "        undoing = self.compensate(self.saga.position(instance.step or ''), CANCEL_REQUESTED) | changes\n",
        f"{_SAGA}::test_a_cancel_before_the_first_reply_undoes_every_step_up_to_the_pivot",
    ),
    "unknown-saga-is-at-its-start": Mutant(
        "sagakit/saga/advance.py",
        "            undoing = self.undo_all(CANCEL_REQUESTED)\n            return",
        "            undoing = self.compensate(0, CANCEL_REQUESTED)\n            return",
        f"{_SAGA}::test_a_cancel_of_a_saga_never_heard_of_undoes_every_step_up_to_the_pivot",
    ),
    "done-is-done": Mutant(
        "sagakit/saga/advance.py",
        "            if done and not reply.success:\n",
        "            if False:\n",
        f"{_SAGA}::test_a_step_that_was_done_and_is_refused_later_has_the_saga_undone_up_to_the_pivot",
    ),
    "done-after-all-is-kept": Mutant(
        "sagakit/saga/advance.py",
        "return step.undo(instance.start) if passed and reply.success else None",
        "return None",
        f"{_SAGA}::test_a_step_that_was_refused_and_is_done_after_all_is_undone",
    ),
    "late-cancels-are-obeyed": Mutant(
        "sagakit/orchestrator/engine.py",
        "late = self._too_late(cancels, tx) if cancels else ()",
        "late = set[int]()",
        "tests/unit/orchestrator_svc/test_too_late.py::test_a_cancel_that_came_too_late_before_is_passed_over",
    ),
    "completed-as-long-as-nothing-is-missing": Mutant(
        "orchestrator_svc/completed.py",
        "        if not self._lag.is_missing_now(tx):\n",
        "        if self._lag.is_missing_now(tx):\n",
        "tests/integration/test_completed.py"
        "::test_as_long_as_the_database_lacks_something_what_was_completed_is_looked_for",
    ),
    "timers-in-the-past": Mutant(
        "sagakit/orchestrator/timers.py",
        "        if self._lag.is_missing(self._store.offsets(tx)):\n",
        "        if False:\n",
        "tests/integration/test_timers.py::test_in_a_database_that_went_back_nothing_fires_until_it_has_caught_up",
    ),
    "no-gap": Mutant(
        "order_svc/recovery.py",
        "behind=0, gap=_GAP)",
        "behind=0, gap=0)",
        f"{_RECOVERY}::test_a_database_that_went_back_skips_ids_that_may_never_have_reached_kafka",
    ),
    "no-gap-at-the-start": Mutant(
        "order_svc/recovery.py",
        "bool(line) and noted != line)",
        "False)",
        f"{_RECOVERY}::test_a_service_that_starts_skips_ids_where_the_database_has_another_history_than_was_noted",
    ),
    "history-noted-before-it-is-whole": Mutant(
        "order_svc/recovery.py",
        " and number == timelines.number",
        "",
        "tests/integration/test_order_recovery.py"
        "::test_a_history_that_begins_while_the_one_before_is_made_whole_is_noted_once_it_is_whole_itself",
    ),
    "orders-of-other-tables-do-not-exist": Mutant(
        "order_svc/api.py",
        "self._database.timelines.must_still_be_whole(tx)",
        "self._database.timelines.must_be_whole()",
        "tests/integration/test_order_reads.py"
        "::test_an_order_that_is_not_in_other_tables_than_were_there_may_be_restored_yet",
    ),
    "ids-given-again": Mutant(
        "sagakit/outbox/writer.py",
        "        timelines.must_be_whole()\n",
        "",
        "tests/integration/test_order_writes.py::test_in_a_database_that_may_have_gone_back_no_order_is_taken",
    ),
    "ends-before-their-orders": Mutant(
        "order_svc/recovery.py",
        "            self._database.timelines.must_be_whole()\n            try:\n",
        "            try:\n",
        f"{_RECOVERY}::test_until_it_is_whole_nothing_is_handled_nor_stored",
    ),
    "late-orders-are-lost": Mutant(
        "order_svc/recovery.py",
        "        elif self._may_be_late:\n",
        "        elif False:\n",
        f"{_RECOVERY}::test_an_order_that_comes_into_kafka_after_its_database_forgot_it_is_restored",
    ),
    "late-orders-commands-are-parked": Mutant(
        "order_svc/recovery.py",
        "                if self._may_be_late:\n",
        "                if False:\n",
        f"{_RECOVERY}::test_what_is_about_an_order_that_may_yet_be_restored_waits_and_is_not_parked",
    ),
    "added-partitions-are-not-read": Mutant(
        "order_svc/recovery.py",
        "begin.get(partition, OFFSET_BEGINNING)",
        "begin.get(partition, ends[partition])",
        f"{_RECOVERY}::test_an_order_in_a_partition_that_was_added_since_is_restored",
    ),
    "numbered-on-too-late": Mutant(
        "order_svc/recovery.py",
        "        if last > self._database.transact(store.last_number):\n",
        "        if False:\n",
        "tests/integration/test_order_recovery.py::test_where_it_ends_halfway_no_id_is_given_a_second_time",
    ),
    "silence-is-the-end-of-a-topic": Mutant(
        "sagakit/offsets/rereading.py",
        "    if metadata.error or not metadata.partitions:\n",
        "    if False:\n",
        "tests/integration/test_order_recovery.py::test_a_topic_without_metadata_is_not_taken_for_one_without_orders",
    ),
    "handled-last-is-not-caught-up": Mutant(
        "sagakit/offsets/handled.py",
        "        if once is None and before is not None and before > at:\n",
        "        if False:\n",
        f"{_OFFSETS}::test_what_was_handled_last_and_not_stored_is_caught_up_like_what_was",
    ),
    "whole-for-good": Mutant(
        "sagakit/postgres/timelines.py",
        "if self.whole is not None and self.whole != self.number:",
        "if self.whole is not None and self.whole < 0:",
        f"{_RECOVERY}::test_until_it_is_whole_nothing_is_handled_nor_stored",
    ),
}
