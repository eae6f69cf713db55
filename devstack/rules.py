"""``python -m devstack.rules``: Prometheus' rules, checked and tested by promtool. A part of ``make lint``."""

import subprocess
import sys

from devstack.errors import DevstackError
from devstack.go_programs import built
from devstack.layout import ROOT

RULES = ROOT / "helm" / "order-saga" / "files" / "prometheus" / "rules.yaml"
"""What is recorded and alerted on, for Prometheus to read."""
CASES = ROOT / "tests" / "alerts"
"""promtool's tests of the rules: what fires when, and what does not."""
_SECONDS = 600


def main() -> int:
    """Check and test the rules, print what promtool says of what is wrong, and return the process's exit status."""
    try:
        promtool = str(built("promtool", lambda doing: print(f"promtool: {doing}", file=sys.stderr)))
    except DevstackError as error:
        print(f"rules: {error}", file=sys.stderr)
        return 1
    cases = sorted(map(str, CASES.glob("*.yaml")))
    wrong = 0
    for command in (["check", "rules", "--lint-fatal", str(RULES)], ["test", "rules", *cases]):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode:
            wrong += 1
            print(done.stdout + done.stderr, file=sys.stderr)
    print(
        f"rules: {wrong} of promtool's two runs failed" if wrong else f"rules: all fit, by {len(cases)} files of tests"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
