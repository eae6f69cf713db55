"""What the console keeps out: foreign hosts and origins, forged forms, expired tokens, addresses, other sites."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/unit/console_svc"

CONSOLE = {
    "console-any-host": Mutant(
        "console_svc/guard.py",
        "        if not self._is_known(host):\n",
        "        if not host:\n",
        f"{_TESTS}/test_guard.py::test_a_name_that_somebody_else_s_dns_gives_it_is_refused",
    ),
    "console-any-origin": Mutant(
        "console_svc/guard.py",
        'return is_own if site is None else site == "same-origin" and (is_own or origin in {None, "null"})',
        "return is_own or site is not None",
        f"{_TESTS}/test_guard.py::test_what_changes_something_comes_from_a_page_of_ours_or_not_at_all",
    ),
    "console-forms-unsigned": Mutant(
        "console_svc/forgery.py",
        "return bool(cookie) and hmac.compare_digest(self.token(cookie).encode(), token.encode())",
        "return bool(cookie) and bool(token)",
        f"{_TESTS}/test_visitors.py::test_a_form_s_token_fits_one_browser_s_cookie_of_one_console",
    ),
    "console-sessions-for-ever": Mutant(
        "console_svc/visitors.py",
        "visitor if visitor is not None and visitor.expires > self._now() else None",
        "visitor",
        f"{_TESTS}/test_visitors.py::test_a_session_ends_with_its_token",
    ),
    "console-one-seal-for-all": Mutant(
        "console_svc/secret.py",
        "info=purpose.encode()",
        'info=b""',
        f"{_TESTS}/test_visitors.py::test_what_was_sealed_for_something_else_signs_nobody_in",
    ),
    "console-goes-on-anywhere": Mutant(
        "console_svc/sign_in.py",
        'return path if _OWN.fullmatch(path) else "/"',
        'return path if path.startswith("/") else "/"',
        f"{_TESTS}/test_own_pages.py::test_anything_else_leads_to_the_overview",
    ),
    "console-shows-addresses": Mutant(
        "console_svc/masking.py",
        "value if self._shown else _masked(value)",
        "value",
        f"{_TESTS}/test_masking.py::test_addresses_in_a_record_are_hidden_wherever_they_stand_and_nothing_else_is",
    ),
    "console-letters-for-former-tokens": Mutant(
        "console_svc/letters.py",
        "        await verify(visit.services, visit.visitor.token)",
        "        pass",
        f"{_TESTS}/test_verifying.py::test_a_token_that_is_taken_no_more_drops_no_dead_letter",
    ),
    "console-jobs-of-anybody": Mutant(
        "console_svc/jobs.py",
        "return job if job is not None and job.owner == owner else None",
        "return job",
        f"{_TESTS}/test_jobs.py::test_another_visitor_s_job_is_none",
    ),
    "console-none-means-every-saga": Mutant(
        "console_svc/saga_filter.py",
        "        if among == []:\n            return None\n",
        "",
        f"{_TESTS}/test_bulk.py::test_an_order_that_is_not_the_user_s_means_no_saga_and_not_every_one",
    ),
    "console-filters-that-make-no-sense": Mutant(
        "console_svc/saga_filter.py",
        "            _check(name, value)\n",
        "            pass\n",
        f"{_TESTS}/test_bulk.py::test_a_filter_that_makes_no_sense_is_named_and_means_no_saga",
    ),
    "console-faults-without-headers": Mutant(
        "console_svc/app.py",
        "return Guard(inside, console.settings.allowed_hosts)",
        "return inside",
        f"{_TESTS}/test_odd_requests.py::test_a_fault_of_ours_has_the_headers_of_every_page",
    ),
}
