"""The long form: ``python -m tests.chaos --duration 600 --seed 1 [--replicas 2] [--nemeses kill] [--secure]``."""

import argparse
import secrets
import shutil
import signal
import sys
import time
from collections import Counter

from devstack.errors import DevstackError
from devstack.layout import ROOT
from tests.chaos.harness import fresh
from tests.chaos.nemeses import CATALOGUE, chosen
from tests.chaos.report import report
from tests.chaos.round import Settings, run


def main() -> int:
    """Run a round; return 0 where every invariant holds, 1 where one does not."""
    settings = _settings()
    folder = ROOT / ".chaos" / f"{time.strftime('%Y%m%d-%H%M%S')}-seed-{settings.seed}"
    signal.signal(signal.SIGTERM, _interrupt)
    print(f"seed {settings.seed}, {settings.duration:.0f} s; everything goes to {folder}", flush=True)
    stack = fresh(folder / "stack", secure=settings.secure)
    try:
        result = run(stack, settings, lambda text: print(text, flush=True))
    except DevstackError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("given up; everything is healed and stopped", file=sys.stderr)
        return 130
    finally:
        stack.down()
        stack.remove_databases()
        shutil.rmtree(folder / "stack" / "kafka", ignore_errors=True)
    path = folder / "report.md"
    path.write_text(report(result, folder / "stack" / "logs"))
    for violation in result.violations[:10]:
        print(violation)
    verdict = Counter(violation.invariant for violation in result.violations)
    print(f"violations by invariant: {dict(sorted(verdict.items()))}" if verdict else "every invariant holds")
    print(f"report: {path}")
    return 1 if result.violations else 0


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=120, help="seconds of load and faults (120)")
    parser.add_argument("--seed", type=int, help="of customers and faults; random, and printed, where it is not given")
    parser.add_argument("--replicas", type=int, choices=(1, 2), default=1, help="of every service (1)")
    parser.add_argument("--nemeses", default="", help="beginnings of kinds, with commas: all where not given")
    parser.add_argument("--secure", action="store_true", help="on a closed stack")
    parser.add_argument("--rate", type=float, default=10, help="customers a second (10)")
    parser.add_argument("--bound", type=float, default=120, help="seconds after the last heal until all is final (120)")
    parser.add_argument("--list", action="store_true", help="list the kinds of fault, and end")
    given = parser.parse_args()
    if given.list:
        print("\n".join(nemesis.kind for nemesis in CATALOGUE))
        sys.exit(0)
    nemeses = tuple(filter(None, given.nemeses.split(",")))
    try:
        chosen(nemeses)
    except ValueError as error:
        parser.error(str(error))
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    return Settings(seed, given.duration, given.replicas, nemeses, given.rate, bound=given.bound, secure=given.secure)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
