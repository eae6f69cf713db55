"""Lines of the log: whose they are, of what they speak, and what never stands in them."""

import subprocess
import sys

import pytest

from sagakit.runtime import logs
from tests.support.lines import lines

FAILING = """
import logging, threading
from sagakit.runtime import logs
import rich  # with it, structlog's tracebacks of a terminal would be rich's, which show local variables

logs.configure("order_svc", "INFO", {form!r})
log = logs.logger("test")

def fail():
    address = "Baker " + "Street"
    raise ValueError("it failed")

def work():
    try:
        fail()
    except ValueError:
        log.exception("ours")
        logging.getLogger("library").exception("theirs")

work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def written(form: str) -> str:
    """Return what a process writes that fails in its main thread and in another."""
    program = [sys.executable, "-c", FAILING.format(form=form)]
    return subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_local_variable_is_in_a_traceback(form: str) -> None:
    text = written(form)
    assert text.count("it failed") >= 4
    assert "Baker Street" not in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_every_line_names_its_service_whichever_thread_writes_it(form: str) -> None:
    assert written(form).count("order_svc") == 4


def test_a_line_says_of_what_it_is_and_keeps_what_it_says_itself() -> None:
    log = logs.logger("test")
    logs.speak_of(lambda line: {"trace_id": "abc", "method": "Add", "about": line["event"]})
    with lines() as said:
        log.info("one", method="another")
        logs.speak_of(None)
        log.info("two")
    assert [{**one, "room": "", "log_level": ""} for one in said] == [
        {"event": "one", "method": "another", "trace_id": "abc", "about": "one", "room": "", "log_level": ""},
        {"event": "two", "room": "", "log_level": ""},
    ]


def test_what_a_line_is_about_is_looked_up_for_no_line_that_is_not_written() -> None:
    """A call or a batch without a line must not pay for it."""
    program = """
from sagakit.runtime import logs
logs.configure("order_svc", "INFO", "json")
logs.speak_of(lambda _: 1 / 0)
logs.logger("test").debug("not written")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
