"""``make lint`` notices a rule that Prometheus would not take, and one that no longer does what its tests show."""

from pathlib import Path

import pytest

from devstack import rules

FIRST_BUILD_SECONDS = 2700
"""Go builds promtool once for each user."""


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rules in a file of their own, with the tests of messages beside them."""
    changed = tmp_path / "rules.yaml"
    changed.write_text(rules.RULES.read_text())
    case = (rules.CASES / "messages.yaml").read_text().replace("../../helm/order-saga/files/prometheus/", "")
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "messages.yaml").write_text(case.replace("rules.yaml", str(changed)))
    monkeypatch.setattr(rules, "RULES", changed)
    monkeypatch.setattr(rules, "CASES", tmp_path / "cases")
    return changed


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_rules_as_they_are_pass(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert copy.exists()
    assert rules.main() == 0
    assert "rules: all fit" in capsys.readouterr().out


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("max by (namespace) (sagakit_outbox_rows) > 50000", "max by (namespace (sagakit_outbox_rows)", "parse error"),
        ("{{ $labels.topic }} were parked", "{{ $lables.topic }} were parked", "undefined variable"),
        ("max by (namespace) (sagakit_outbox_oldest_seconds) > 60", "sum(sagakit_outbox_oldest_seconds) > 60", "420"),
    ],
    ids=["no expression", "no template", "the sum of what all replicas show"],
)
def test_a_rule_that_is_wrong_is_reported(
    copy: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, said: str
) -> None:
    text = copy.read_text()
    assert right in text
    copy.write_text(text.replace(right, wrong))
    assert rules.main() == 1
    assert said in capsys.readouterr().err


def test_without_go_it_fails_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rules.main() == 1
    assert "rules: prometheus and promtool are built by Go, which is not on the PATH" in capsys.readouterr().err
