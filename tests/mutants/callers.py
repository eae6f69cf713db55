"""Mutants of what keeps callers apart."""

from tests.mutants.mutant import Mutant

_TOKENS = "tests/unit/sagakit/rpc/test_tokens.py"
_KEYS = "tests/unit/sagakit/rpc/test_keys.py"
_GATE = "tests/unit/sagakit/rpc/test_gate.py"
_BEARERS = "tests/unit/sagakit/rpc/test_bearers.py"
_WHOSE = "tests/unit/order_svc/test_callers.py"

CALLERS = {
    "any-audience": Mutant(
        "sagakit/rpc/tokens.py",
        "if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):",
        "if audience is None:",
        f"{_TOKENS}::test_a_token_for_others_or_for_another_time_is_refused",
    ),
    "remembered-for-ever": Mutant(
        "sagakit/rpc/tokens.py",
        "            _must_go_on(known, self._clock())\n",
        "",
        f"{_TOKENS}::test_a_token_that_is_remembered_expires_all_the_same",
    ),
    "withdrawn-keys-count": Mutant(
        "sagakit/rpc/tokens.py",
        "            self._remembered.clear()\n",
        "",
        f"{_KEYS}::test_a_withdrawn_keys_tokens_are_refused_though_they_were_taken_before",
    ),
    "issuer-asked-by-anyone": Mutant(
        "sagakit/rpc/keys.py",
        "if reading is None and self._clock() >= self._next_read:",
        "if reading is None:",
        f"{_KEYS}::test_a_thousand_unknown_key_ids_have_the_keys_read_once",
    ),
    "stale-keys-answer-once-more": Mutant(
        "sagakit/rpc/keys.py",
        "            if waits:",
        "            if waits and not self._keys:",
        f"{_KEYS}::test_a_withdrawn_keys_tokens_are_refused_though_they_were_taken_before",
    ),
    "all-wait-for-an-issuer-that-is-away": Mutant(
        "sagakit/rpc/keys.py",
        "            if waits:",
        "            if reading:",
        f"{_KEYS}::test_nobody_waits_for_an_issuer_that_is_away",
    ),
    "keys-of-any-algorithm": Mutant(
        "sagakit/rpc/keys.py",
        ' or entry.get("alg", algorithm) != algorithm:',
        ":",
        f"{_KEYS}::test_only_keys_that_can_verify_are_taken",
    ),
    "scope-unasked": Mutant(
        "sagakit/rpc/gate.py",
        "caller.must_have(scope)",
        "pass",
        f"{_GATE}::test_each_kind_of_method_asks_for_its_scope",
    ),
    "refusals-of-services-uncounted": Mutant(
        "sagakit/rpc/guard.py",
        "        refusals.note(_short(method), error, context)\n",
        "        pass\n",
        f"{_GATE}::test_what_a_service_itself_refuses_for_who_calls_is_counted_and_logged_like_that",
    ),
    "no-scope-is-open": Mutant(
        "sagakit/rpc/gate.py",
        "return _let_nobody_in",
        "return _let_in",
        f"{_GATE}::test_a_method_that_says_nothing_of_who_may_call_it_is_closed",
    ),
    "method-without-scope-starts": Mutant(
        "sagakit/rpc/scopes.py",
        "if not scope:",
        "if scope is None:",
        f"{_GATE}::test_a_method_without_a_scope_is_named",
    ),
    "streams-outlive-tokens": Mutant(
        "sagakit/rpc/guard.py",
        "    if caller.expires is None:\n",
        "    if caller is not None:\n",
        f"{_GATE}::test_a_stream_ends_when_its_token_expires",
    ),
    "read-before-known": Mutant(
        "sagakit/rpc/guard.py",
        "                await _enter(enter, context, calls)\n                _spend(request, context, calls)\n",
        "                await _admit(request, context)\n                await _enter(enter, context, calls)\n",
        f"{_GATE}::test_a_bad_request_of_an_unknown_caller_is_not_even_read",
    ),
    "refused-callers-are-traced": Mutant(
        "sagakit/rpc/guard.py",
        "                calls.must_be_taken(context)\n",
        "                call.let_in()\n                calls.must_be_taken(context)\n",
        "tests/unit/sagakit/tracing/test_guarded_calls.py::test_a_caller_who_is_refused_has_nothing_recorded",
    ),
    "subjects-share-an-address": Mutant(
        "sagakit/rpc/guard.py",
        'return f"subject {subject}" if subject else address_of(context.peer())',
        "return address_of(context.peer())",
        f"{_GATE}::test_each_subject_has_a_share_of_its_own_and_who_shows_no_token_has_that_of_the_address",
    ),
    "bad-tokens-cost-a-call": Mutant(
        "sagakit/rpc/bearers.py",
        "        self._take(address, BAD_TOKEN_COUNTS_AS)\n",
        "        self._take(address, 1)\n",
        f"{_BEARERS}::test_an_address_that_sends_bad_tokens_is_told_to_wait_and_they_are_not_looked_at",
    ),
    "good-tokens-pay": Mutant(
        "sagakit/rpc/bearers.py",
        "            if not pays:\n",
        "            if pays is None:\n",
        f"{_BEARERS}::test_good_tokens_cost_their_address_nothing",
    ),
    "actor-by-the-request": Mutant(
        "sagakit/rpc/callers.py",
        "        if self is ANYONE:\n            return actor, note\n",
        "        if actor:\n            return actor, note\n",
        f"{_TOKENS}::test_in_a_history_who_acts_is_who_the_token_says_and_what_the_request_says_is_a_note",
    ),
    "open-to-the-world": Mutant(
        "sagakit/rpc/settings.py",
        'if self.serves_anyone and self.auth_none_acknowledged == "no":',
        "if self.serves_anyone and self.auth_none_acknowledged is None:",
        "tests/unit/sagakit/service/test_settings_callers.py::test_who_listens_to_others_must_ask_for_a_token_or_say_that_anyone_may_call",
    ),
    "anothers-order-is-seen": Mutant(
        "order_svc/whose.py",
        "if only not in {None, order.user_id}:",
        "if only is None:",
        f"{_WHOSE}::test_ones_own_order_is_found_and_anothers_is_not_there",
    ),
    "lists-of-everybody": Mutant(
        "order_svc/api.py",
        "user_id = only or request.user_id",
        "user_id = request.user_id",
        f"{_WHOSE}::test_lists_show_ones_own",
    ),
    "orders-for-another": Mutant(
        "order_svc/whose.py",
        "if only not in {None, user_id}:",
        "if only == 0:",
        f"{_WHOSE}::test_nobody_orders_for_another",
    ),
    "anothers-inside-a-list": Mutant(
        "order_svc/api.py",
        "        check(request)\n        may_order(caller, request.user_id)\n",
        "        check(request)\n",
        f"{_WHOSE}::test_only_what_the_caller_may_place_is_taken",
    ),
    "cancels-anothers": Mutant(
        "order_svc/cancelling.py",
        "            must_be_visible(order, only_of)\n",
        "",
        "tests/integration/test_order_writes.py::test_the_cancel_of_another_users_order_is_refused_as_if_there_were_none",
    ),
}
