"""Mutants of the four services."""

from tests.mutants.mutant import Mutant

_DELIVERIES = "tests/integration/test_delivery_store.py"
_ENDS = "tests/integration/test_order_ends.py"
_STOCK = "tests/integration/test_stock_store.py"
_STOCK_RULES = "tests/unit/product_svc/test_stock.py"
_WRITES = "tests/integration/test_order_writes.py"

ORDERS = {
    "news-ignored": Mutant(
        "order_svc/store.py",
        '    notify_news(tx, CHANNEL, _NEWS, {"ids": array([ending.order_id for ending in ordered])})\n',
        "",
        f"{_ENDS}::test_who_follows_an_order_hears_what_has_become_of_it",
    ),
    "ends-twice": Mutant(
        "order_svc/store.py",
        " AND orders.status = 'PENDING'\n",
        "\n",
        f"{_ENDS}::test_an_order_ends_once_and_stays_as_it_ended_first",
    ),
    "request-id-without-conflict": Mutant(
        "order_svc/store.py",
        "        ON CONFLICT (user_id, request_id) DO NOTHING\n",
        "",
        f"{_WRITES}::test_a_request_id_stands_for_one_order_that_is_announced_once",
    ),
    "inserted-as-they-come": Mutant(
        "order_svc/store.py",
        "FROM request ORDER BY request_id, user_id, place\n",
        "FROM request ORDER BY place\n",
        "tests/integration/test_same_requests.py::test_groups_that_meet_in_another_order_wait_and_do_not_deadlock",
    ),
    "announcers-wait-for-each-other": Mutant(
        "order_svc/store.py",
        "ORDER BY announce_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        "ORDER BY announce_time LIMIT %(limit)s FOR UPDATE",
        "tests/integration/test_announcer.py::test_what_another_announcer_has_in_hand_is_left_to_it",
    ),
    "announced-ever-later": Mutant(
        "order_svc/store.py",
        "least(%(longest)s, %(after)s",
        "greatest(%(longest)s, %(after)s",
        "tests/integration/test_announcer.py::test_the_pauses_double_up_to_an_hour",
    ),
    "cancel-unsaid": Mutant(
        "order_svc/cancelling.py",
        "return order, [Outgoing(order_cancel_requested(order), trace=trace)]",
        "return order, []",
        f"{_WRITES}::test_a_cancel_is_noted_on_its_order_and_sent_to_the_saga",
    ),
    "final-order-cancelled": Mutant(
        "order_svc/cancelling.py",
        "            if order.final:\n",
        "            if order.final and order.cancel_request:\n",
        f"{_WRITES}::test_the_cancel_of_an_order_that_has_ended_is_refused",
    ),
    "cancel-unlocked": Mutant(
        "order_svc/cancelling.py",
        "store.lock(tx, [order_id])",
        "store.get(tx, [order_id])",
        f"{_WRITES}::test_a_cancel_that_meets_an_end_waits_for_it_and_is_refused",
    ),
    "cancel-said-again": Mutant(
        "order_svc/cancelling.py",
        "                return order, []\n",
        "                return order, [Outgoing(order_cancel_requested(order), trace=trace)]\n",
        f"{_WRITES}::test_a_cancel_asked_for_again_says_nothing_and_keeps_who_asked_first",
    ),
    "any-content-for-a-request-id": Mutant(
        "order_svc/intake.py",
        "if isinstance(order, Exception) or order.is_for(request):",
        "if isinstance(order, Exception) or order:",
        f"{_WRITES}::test_a_request_id_used_for_other_content_is_refused",
    ),
    "orders-unannounced": Mutant(
        "order_svc/intake.py",
        "            if place in new\n",
        "            if place and place in new\n",
        f"{_WRITES}::test_an_order_is_stored_and_announced_to_the_saga",
    ),
    "unknown-order-passed": Mutant(
        "order_svc/handlers.py",
        '            raise NotHeardOf("UNKNOWN_ORDER", f"there is no order {ending.order_id}")\n',
        "            continue\n",
        f"{_ENDS}::test_an_end_is_counted_once_though_another_of_its_batch_is_poison",
    ),
    "another-reason-is-another-end": Mutant(
        "order_svc/orders.py",
        "order.status != self.status",
        "(order.status, order.cancel_reason) != (self.status, self.reason)",
        "tests/unit/order_svc/test_orders.py::test_only_another_end_contradicts_a_final_order",
    ),
    "cancel-before-its-order": Mutant(
        "order_svc/orders.py",
        "return [created, order_cancel_requested(order)]",
        "return [order_cancel_requested(order), created]",
        "tests/unit/order_svc/test_orders.py::test_what_is_announced_again_is_the_order_and_then_its_cancel",
    ),
}

PRODUCTS = {
    "shelf-unlocked": Mutant(
        "product_svc/store.py",
        "        ORDER BY product_id FOR NO KEY UPDATE\n    ), plenty",
        "        ORDER BY product_id\n    ), plenty",
        f"{_STOCK}::test_the_last_piece_that_another_batch_is_taking_is_not_promised_again",
    ),
    "restock-twice": Mutant(
        "product_svc/store.py",
        "    if tx.execute(_RESTOCK, row).fetchone() is None:\n        return False\n",
        "    tx.execute(_RESTOCK, row)\n",
        f"{_STOCK}::test_a_restock_is_added_once_for_its_request_id",
    ),
    "taken-without-conflict": Mutant(
        "product_svc/store.py",
        "ON CONFLICT (order_id) DO NOTHING RETURNING order_id, product_id, quantity",
        "RETURNING order_id, product_id, quantity",
        f"{_STOCK}::test_the_same_command_five_times_takes_once_and_is_answered_the_same",
    ),
    "repeats-take-again": Mutant(
        "product_svc/store.py",
        "AS pieces FROM stored GROUP BY product_id",
        "AS pieces FROM wanted GROUP BY product_id",
        f"{_STOCK}::test_the_same_command_five_times_takes_once_and_is_answered_the_same",
    ),
    "plenty-for-the-largest": Mutant(
        "product_svc/store.py",
        "HAVING sum(quantity) <= min(stock)",
        "HAVING max(quantity) <= min(stock)",
        f"{_STOCK}::test_in_one_batch_the_first_come_get_the_last_pieces",
    ),
    "plenty-at-any-price": Mutant(
        "product_svc/store.py",
        " AND bool_and(wanted.price = shelf.price)",
        "",
        f"{_STOCK}::test_an_order_at_another_price_is_refused_though_there_is_plenty",
    ),
    "plenty-but-not-the-last": Mutant(
        "product_svc/store.py",
        "HAVING sum(quantity) <= min(stock)",
        "HAVING sum(quantity) < min(stock)",
        f"{_STOCK}::test_in_one_batch_the_first_come_get_the_last_pieces",
        survives="what the fast statement leaves over is taken in the second transaction, with the same answer",
    ),
    "refuses-every-tenth": Mutant(
        "product_svc/stock.py",
        "return OUT_OF_STOCK if wanted.quantity > left else None",
        "return OUT_OF_STOCK if wanted.quantity > left or wanted.order_id % 10 == 0 else None",
        f"{_STOCK_RULES}::test_whoever_orders_gets_the_pieces_as_long_as_there_are_enough",
    ),
    "refuses-every-tenth-too": Mutant(
        "product_svc/handlers.py",
        "store.take(pipeline, wanted)",
        "store.take(pipeline, [one for one in wanted if one.order_id % 10])",
        f"{_STOCK}::test_where_there_is_plenty_a_whole_batch_is_one_statement",
    ),
    "no-tombstone": Mutant(
        "product_svc/handlers.py",
        "for one in wanted if one.order_id not in movements])\n    store.undo",
        "for one in wanted if one.order_id in movements])\n    store.undo",
        f"{_STOCK}::test_an_undo_before_its_do_leaves_a_tombstone_that_the_do_finds",
    ),
    "given-back-again": Mutant(
        "product_svc/handlers.py",
        "if not movement.undone])",
        "])",
        f"{_STOCK}::test_what_is_given_back_twice_comes_back_once",
        survives="a movement that is undone holds no stock, which `_pieces` asks as well",
    ),
    "undone-holds-stock": Mutant(
        "product_svc/stock.py",
        "return self.refusal is None and not self.undone",
        "return self.refusal is None",
        f"{_STOCK_RULES}::test_a_refused_order_holds_nothing_and_an_undone_one_neither",
    ),
    "last-piece-sold-twice": Mutant(
        "product_svc/stock.py",
        "            left[one.product_id] -= one.quantity\n",
        "            pass\n",
        f"{_STOCK_RULES}::test_the_last_piece_is_sold_once",
    ),
}

DELIVERIES = {
    "delivered-without-conflict": Mutant(
        "delivery_svc/store.py",
        '    .on_conflict_do_nothing(index_elements=["order_id"])\n',
        "",
        f"{_DELIVERIES}::test_the_same_command_five_times_makes_one_delivery_and_one_answer",
    ),
    "undo-delivers": Mutant(
        "delivery_svc/handlers.py",
        "[(one, UNDONE) for one in wanted]",
        "[(one, None) for one in wanted]",
        f"{_DELIVERIES}::test_an_undo_before_its_do_leaves_a_tombstone_that_the_do_finds",
    ),
    "another-address-passed": Mutant(
        "delivery_svc/handlers.py",
        "if not known[one.order_id].is_for(one):",
        "if one.order_id not in known:",
        f"{_DELIVERIES}::test_a_repeat_with_another_address_is_poison",
    ),
    "cancelled-is-delivered": Mutant(
        "delivery_svc/deliveries.py",
        "return self.refusal or (UNDONE if self.status is DeliveryStatus.CANCELLED else None)",
        "return self.refusal",
        f"{_DELIVERIES}::test_a_cancelled_delivery_stays_cancelled",
    ),
    "capitals-deliver": Mutant(
        "delivery_svc/deliveries.py",
        "_without_accents(wanted.address).casefold()",
        "_without_accents(wanted.address)",
        "tests/unit/delivery_svc/test_deliveries.py::test_a_post_office_box_is_refused",
    ),
    "accents-deliver": Mutant(
        "delivery_svc/deliveries.py",
        "if not combining(one))",
        "if one)",
        "tests/unit/delivery_svc/test_deliveries.py::test_a_post_office_box_is_refused",
    ),
    "cancelled-again": Mutant(
        "delivery_svc/handlers.py",
        " if d.status is DeliveryStatus.SCHEDULED]",
        "]",
        f"{_DELIVERIES}::test_a_cancelled_delivery_stays_cancelled",
        survives="the statement cancels what is SCHEDULED and nothing else",
    ),
}

ORCHESTRATOR = {
    "undo-of-the-other-step": Mutant(
        "orchestrator_svc/order_saga.py",
        "undo=cancel_delivery,",
        "undo=increase_product,",
        "tests/unit/orchestrator_svc/test_order_saga.py"
        "::test_a_cancel_while_delivering_undoes_both_steps_in_reverse_order",
    ),
    "another-price": Mutant(
        "orchestrator_svc/order_saga.py",
        "quantity=order.quantity, price=order.price\n",
        "quantity=order.quantity, price=order.price + 1\n",
        "tests/unit/orchestrator_svc/test_order_saga.py::test_every_step_done_completes_the_order",
    ),
    "cancel-carries-another-order": Mutant(
        "orchestrator_svc/order_saga.py",
        "create_time=request.create_time,",
        "create_time=request.request_time,",
        "tests/unit/orchestrator_svc/test_order_saga.py::test_a_cancel_of_a_saga_never_heard_of_undoes_every_step",
    ),
    "everything-is-under-way": Mutant(
        "orchestrator_svc/views.py",
        "under_way=not asked.status and not asked.order_ids)",
        "under_way=False)",
        "tests/unit/orchestrator_svc/test_views.py::test_a_filter_without_status_and_ids_picks_what_is_under_way",
    ),
    "watched-by-the-service-s-clock": Mutant(
        "orchestrator_svc/api.py",
        "wanted.fits(instance, now)",
        'wanted.fits(instance, __import__("datetime").datetime.now(now.tzinfo))',
        "tests/integration/test_watching_sagas.py::test_a_saga_is_as_old_as_the_clock_of_its_database_says",
    ),
}
