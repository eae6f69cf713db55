"""Judges the evidence of a run by the eighteen invariants. It shares no code with what it judges.

1. Every acknowledged ``CreateOrder`` reaches exactly one final state; an unanswered one may exist, once.
2. Initial stock + restocks = stock + completed decrements, never negative at any moment.
3. ``COMPLETED``: one delivery and one decrement; ``CANCELLED``: no live delivery and no decrement.
4. The same ``request_id`` gives the same order; other content under it is refused.
5. Each outbox row reaches Kafka.
6. Saga history is monotone and legal.
7. A committed offset is never ahead of the durable effect.
8. Every record of the six topics has its effect or a dead letter.
9. What was forged is parked, and nothing else is.
10. No call ends with ``INTERNAL``: what passes by itself is ``UNAVAILABLE``, or is not noticed.
11. A saga that hears nothing is asked again in time, whatever strangers leave in the topics.
12. Nothing is sent, announced, relayed or handled again but what a fault explains.
13. Every refusal is justified by the stock, price, address, product or cancel that explains it.
14. Every cancel that came in time has its end, and one that came too late is said to be so.
15. Reads agree with the history and with each other, and never go back.
16. Watches begin with the present state, never go back, and miss no end.
17. Times run forward.
18. There is one dead letter for each parked message, true to it byte for byte.
"""

from collections.abc import Callable, Iterator

from tests.chaos.checker_cancels import cancels_have_their_end
from tests.chaos.checker_common import Case, Violation
from tests.chaos.checker_effects import every_record_has_its_effect, offsets_follow_effects
from tests.chaos.checker_faults import calls_are_answered, forgeries_alone_are_parked, sagas_are_asked_in_time
from tests.chaos.checker_handling import handling_is_explained
from tests.chaos.checker_history import histories_are_legal
from tests.chaos.checker_letters import letters_are_true
from tests.chaos.checker_orders import a_request_is_one_order, every_order_ends_once
from tests.chaos.checker_reads import reads_agree
from tests.chaos.checker_refusals import refusals_are_justified
from tests.chaos.checker_tables import orders_agree_with_their_effects, the_outbox_reaches_kafka, the_stock_balances
from tests.chaos.checker_times import times_run_forward
from tests.chaos.checker_watches import watches_show_all
from tests.chaos.evidence import Evidence

__all__ = ["INVARIANTS", "Violation", "check"]

INVARIANTS: dict[int, tuple[str, Callable[[Case], Iterator[Violation]]]] = {
    1: ("every acknowledged order reaches exactly one final state", every_order_ends_once),
    2: ("initial stock + restocks = stock + completed decrements, never negative", the_stock_balances),
    3: ("COMPLETED: one delivery, one decrement; CANCELLED: neither", orders_agree_with_their_effects),
    4: ("same request_id, same order; other content refused", a_request_is_one_order),
    5: ("each outbox row reaches Kafka", the_outbox_reaches_kafka),
    6: ("saga history is monotone and legal", histories_are_legal),
    7: ("committed offset never ahead of the durable effect", offsets_follow_effects),
    8: ("every record has its effect or a dead letter", every_record_has_its_effect),
    9: ("what was forged is parked, and nothing else", forgeries_alone_are_parked),
    10: ("no call ends with INTERNAL", calls_are_answered),
    11: ("a saga that hears nothing is asked again in time", sagas_are_asked_in_time),
    12: ("nothing is done again but what a fault explains", handling_is_explained),
    13: ("every refusal is justified", refusals_are_justified),
    14: ("every cancel has its end", cancels_have_their_end),
    15: ("reads agree with the history and never go back", reads_agree),
    16: ("watches never go back and miss no end", watches_show_all),
    17: ("times run forward", times_run_forward),
    18: ("one true dead letter for each parked message", letters_are_true),
}
"""By number: what holds, and the function that finds where it does not."""


def check(evidence: Evidence) -> list[Violation]:
    """Return every violation of the invariants (1) to (18), by invariant; none where the run was good."""
    case = Case(evidence)
    return [violation for _, find in INVARIANTS.values() for violation in find(case)]
