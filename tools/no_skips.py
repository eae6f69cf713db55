"""A pytest plugin that fails a run in which a test was skipped: `pytest -p tools.no_skips`.

A test that is skipped because its server is not there looks like one that passed. ``.ci/run`` uses this. A test marked
``may_skip`` may be skipped all the same.
"""

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that was skipped; one that was expected to fail, and did, is none."""
    if report.skipped and not hasattr(report, "wasxfail") and "may_skip" not in report.keywords:
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that was skipped as a whole."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail."""
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why."""
    if _skipped:
        terminalreporter.section("skipped, which is not allowed here", red=True)
        for name in _skipped:
            terminalreporter.line(name)
