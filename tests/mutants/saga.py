"""Mutants of ``saga/``."""

from tests.mutants.mutant import Mutant

_ENGINE = "tests/integration/test_saga_engine.py"
_ADVANCE = "tests/unit/sagakit/saga/test_advance.py"
_SILENCE = "tests/unit/sagakit/saga/test_silence.py"
_SAGA_STORE = "tests/integration/test_saga_store.py"
_TIMERS = "tests/integration/test_timers.py"

SAGA = {
    "stuck-sagas-are-retrying": Mutant(
        "sagakit/orchestrator/store.py",
        "attempt > 1 AND NOT stuck AND step IS NOT NULL",
        "attempt > 1 AND step IS NOT NULL",
        "tests/integration/test_saga_counts.py::test_each_gauge_agrees_with_the_list_of_its_sagas",
    ),
    "counts-without-a-rest": Mutant(
        "sagakit/orchestrator/counts.py",
        "_REST = 20\n",
        "_REST = 0\n",
        "tests/integration/test_saga_counts.py::test_a_count_that_takes_long_is_made_more_rarely",
    ),
    "what-may-be-undone-is-counted": Mutant(
        "sagakit/orchestrator/engine.py",
        "            pipeline.commit()  # as nothing follows but to count, which is right only for what is stored\n",
        "",
        f"{_ENGINE}::test_an_end_is_counted_once_it_is_stored_and_only_then",
    ),
    "reasons-of-others-are-labels": Mutant(
        "sagakit/orchestrator/measures.py",
        "saga.reason if saga.reason in _REASONS else _REFUSED",
        "saga.reason or _REFUSED",
        "tests/unit/sagakit/orchestrator/test_measures.py::test_whatever_reason_a_participant_gives_is_one_series",
    ),
    "cancel-too-late-too-soon": Mutant(
        "sagakit/saga/transition.py",
        "self.saga.position(instance.step) <= self.saga.pivot",
        "self.saga.position(instance.step) < self.saga.pivot",
        f"{_ADVANCE}::test_a_cancel_at_the_pivot_undoes_the_steps_in_reverse_order",
    ),
    "refused-step-is-undone": Mutant(
        "sagakit/saga/advance.py",
        "self.compensate(position - 1, reason)",
        "self.compensate(position, reason)",
        f"{_ADVANCE}::test_a_later_step_that_is_refused_has_those_before_it_undone",
    ),
    "undo-skips-a-step": Mutant(
        "sagakit/saga/advance.py",
        "self.compensate(self.saga.position(step.name) - 1",
        "self.compensate(self.saga.position(step.name) - 2",
        f"{_ADVANCE}::test_a_cancel_at_the_pivot_undoes_the_steps_in_reverse_order",
    ),
    "any-reply-will-do": Mutant(
        "sagakit/saga/advance.py",
        "if instance.status is not Status.RUNNING or instance.step != step.name:",
        "if instance.status is not Status.RUNNING:",
        f"{_ADVANCE}::test_a_reply_that_comes_twice_advances_once",
    ),
    "late-reply-brings-it-back": Mutant(
        "sagakit/saga/advance.py",
        "        if instance.compensates:\n"
        "            return Transition(instance, None, Fit.LATE_REPLY, self._undo_of(instance, step, reply))\n"
        "        position = self.saga.position(step.name)\n"
        "        if instance.status is not Status.RUNNING or",
        "        position = self.saga.position(step.name)\n        if",
        f"{_SILENCE}::test_a_reply_after_the_saga_gave_up_does_not_bring_it_back",
    ),
    "reused-id-unseen": Mutant(
        "sagakit/saga/advance.py",
        "_must_be_same(instance.start, message)",
        "_must_be_same(instance.start, instance.start)",
        f"{_ADVANCE}::test_an_id_used_again_for_other_content_is_poison",
    ),
    "asked-at-once": Mutant(
        "sagakit/saga/transition.py",
        "return self.fit is not Fit.REFUSED_AFTER_PIVOT",
        "return True",
        "tests/unit/sagakit/saga/test_after_the_pivot.py::test_a_step_that_was_refused_is_not_asked_again_at_once",
    ),
    "repeated-refusal-leaves-a-line": Mutant(
        "sagakit/saga/advance.py",
        "if instance.stuck and instance.last_error == why:",
        "if False:",
        "tests/unit/sagakit/saga/test_after_the_pivot.py::test_a_refusal_that_comes_twice_leaves_one_line",
    ),
    "repeated-refusal-is-asked-at-once": Mutant(
        "sagakit/saga/advance.py",
        "Fit.UNEXPECTED_REPLY if instance.ended else Fit.REFUSED_AFTER_PIVOT",
        "Fit.UNEXPECTED_REPLY",
        "tests/unit/sagakit/saga/test_after_the_pivot.py::test_a_step_that_was_refused_is_not_asked_again_at_once",
    ),
    "no-jitter": Mutant(
        "sagakit/saga/overdue.py",
        "_SPREAD = 0.4",
        "_SPREAD = 0.0",
        "tests/unit/sagakit/saga/test_overdue.py::test_sagas_that_ran_out_of_time_together_do_not_go_on_together",
    ),
    "no-cap": Mutant(
        "sagakit/saga/overdue.py",
        "min(step.retry.cap.total_seconds(), doubled)",
        "doubled",
        f"{_SILENCE}::test_each_attempt_waits_about_twice_as_long_up_to_the_cap",
    ),
    "one-attempt-less": Mutant(
        "sagakit/saga/overdue.py",
        "if instance.attempt < attempts:",
        "if instance.attempt < attempts - 1:",
        f"{_SILENCE}::test_used_up_attempts_undo_the_first_step_too_though_it_may_never_have_been_done",
    ),
    "pending-step-left-out": Mutant(
        "sagakit/saga/overdue.py",
        "moves.compensate(position, TIMED_OUT)",
        "moves.compensate(position - 1, TIMED_OUT)",
        f"{_SILENCE}::test_used_up_attempts_undo_the_first_step_too_though_it_may_never_have_been_done",
    ),
    "gives-up-after-the-pivot": Mutant(
        "sagakit/saga/overdue.py",
        "    if moves.may_be_undone(instance):\n",
        "    if not instance.compensates:\n",
        "tests/unit/sagakit/saga/test_after_the_pivot.py::test_used_up_attempts_make_it_stuck_and_it_goes_on_asking",
    ),
    "retry-is-an-attempt": Mutant(
        "sagakit/saga/interventions.py",
        '"attempt": 0 if instance.step else',
        '"attempt": 1 if instance.step else',
        f"{_SILENCE}::test_an_operator_has_a_stuck_saga_ask_again_with_all_its_attempts",
    ),
    "newest-forgotten": Mutant(
        "sagakit/orchestrator/remembered.py",
        "next(iter(self._kept))",
        "next(reversed(self._kept))",
        "tests/unit/sagakit/orchestrator/test_remembered.py::test_those_kept_longest_ago_make_room",
    ),
    "old-clock-believed": Mutant(
        "sagakit/orchestrator/database_clock.py",
        " if since < _SECONDS else None",
        "",
        "tests/unit/sagakit/orchestrator/test_remembered.py::test_the_other_clock_goes_on_from_what_it_said_until_that_is_long_ago",
    ),
    "guess-is-fact": Mutant(
        "sagakit/orchestrator/engine.py",
        "for saga_id, one in courses.items() if saga_id in stored}",
        "for saga_id, one in courses.items()}",
        f"{_ENGINE}::test_what_an_operator_had_undone_is_not_taken_further",
    ),
    "no-forget": Mutant(
        "sagakit/orchestrator/source.py",
        "        self._remembered.forget(saga.saga_id for saga in changed if saga.saga_id not in ids)\n",
        "",
        f"{_ENGINE}::test_a_saga_that_somebody_else_has_changed_is_not_guessed_at_twice",
    ),
    "repeats-unanswered": Mutant(
        "sagakit/orchestrator/course.py",
        "        if transition.send:\n",
        "        if transition.event:\n",
        f"{_ENGINE}::test_a_start_that_came_before_is_only_answered_again",
    ),
    "no-update-time": Mutant(
        "sagakit/orchestrator/store.py",
        "_UPDATE = _with_events(\n",
        "_AS_LOADED = sagas.c.version == _changed.c.loaded_version\n_UPDATE = _with_events(\n",
        f"{_ENGINE}::test_a_database_that_went_back_in_time_is_believed",
    ),
    "versions-unchecked": Mutant(
        "sagakit/orchestrator/store.py",
        "    .where(_AS_LOADED)\n",
        "",
        f"{_SAGA_STORE}::test_a_change_of_what_was_changed_meanwhile_is_refused_whole",
    ),
    "start-without-conflict": Mutant(
        "sagakit/orchestrator/store.py",
        '    .on_conflict_do_nothing(index_elements=["saga_id"])\n',
        "",
        f"{_ENGINE}::test_a_start_that_came_before_is_only_answered_again",
    ),
    "saga-unlocked": Mutant(
        "sagakit/orchestrator/store.py",
        "_LOAD = text_of(lock_those(",
        "_LOAD = text_of(select_those(",
        f"{_SAGA_STORE}::test_whoever_loads_a_saga_locks_it_until_the_end_of_the_transaction",
    ),
    "sagas-unsaid": Mutant(
        "sagakit/orchestrator/store.py",
        "        notify(tx, CHANNEL, (instance.saga_id for instance in changed))\n",
        "",
        f"{_SAGA_STORE}::test_who_follows_sagas_hears_which_have_changed",
    ),
    "timers-wait-for-each-other": Mutant(
        "sagakit/orchestrator/store.py",
        "ORDER BY deadline LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        "ORDER BY deadline LIMIT %(limit)s FOR UPDATE",
        f"{_TIMERS}::test_a_saga_that_somebody_has_in_hand_is_left_to_them",
    ),
    "claim-unlocked": Mutant(
        "sagakit/orchestrator/store.py",
        "ORDER BY deadline LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        "ORDER BY deadline LIMIT %(limit)s",
        f"{_TIMERS}::test_a_saga_that_somebody_has_in_hand_is_left_to_them",
    ),
    "operators-wait-for-a-backlog": Mutant(
        "sagakit/orchestrator/store.py",
        "(%(all_due)s OR attempt = 0 OR step IS NULL)",
        "%(all_due)s",
        f"{_TIMERS}::test_what_an_operator_asks_for_goes_out_at_once_all_the_same",
    ),
    "silence-always-means-something": Mutant(
        "sagakit/orchestrator/timers.py",
        "all_due = self._silence_means_something()",
        "all_due = True",
        f"{_TIMERS}::test_while_replies_may_lie_unread_silence_means_nothing",
    ),
    "timer-sends-before-commit": Mutant(
        "sagakit/orchestrator/timers.py",
        "        changed = [transition.saga for transition in transitions]\n",
        "        changed = [transition.saga for transition in transitions]\n"
        "        self._producer.deliver([self._codec.encode(Outgoing(pending_command(self._saga, one)))"
        " for one in changed])\n",
        f"{_TIMERS}::test_sagas_that_cannot_go_on_are_set_aside_and_keep_no_other_waiting",
    ),
}
