"""``python -m tests.mutants [--only NAME | --list]``: see that each small wrong change is caught by its test.

It ends with 1 where one is not, unless its reason is listed, and where one changes nothing any more.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.errors import DevstackError
from devstack.layout import ROOT
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import Result, Verdict, Workshop, servers


def main() -> int:
    """Try out the mutants; return 0 where each is caught, or listed with a reason."""
    signal.signal(signal.SIGTERM, _interrupt)
    mutants, began = chosen(sys.argv[1:]), time.monotonic()
    rotten = [name for name, mutant in mutants.items() if not _fits(name, mutant)]
    mutants = {name: mutant for name, mutant in mutants.items() if name not in rotten}
    try:
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            wrong = _try_out(Path(folder), mutants)
    except DevstackError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("given up; the servers are stopped", file=sys.stderr)
        return 130
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"{len(mutants)} mutants in {minutes} min {seconds} s; not as they should be: {len(wrong) + len(rotten)}")
    return 1 if wrong or rotten else 0


def chosen(arguments: Sequence[str]) -> dict[str, Mutant]:
    """Return the mutants that the command line's ``arguments`` name: all of them where they name none."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="names, with commas: all where not given")
    parser.add_argument("--list", action="store_true", help="list the names, each with its file, and end")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(f"{name:40} {mutant.path}" for name, mutant in MUTANTS.items()))
        sys.exit(0)
    names = [name for name in given.only.split(",") if name] or list(MUTANTS)
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {', '.join(unknown)}; there are {', '.join(sorted(MUTANTS))}")
    return {name: MUTANTS[name] for name in names}


def _fits(name: str, mutant: Mutant) -> bool:
    try:
        mutant.applied((ROOT / mutant.path).read_text())
    except (LookupError, OSError) as error:
        print(f"ROTTEN    {name}: {error}")
        return False
    return True


def _try_out(folder: Path, mutants: Mapping[str, Mutant]) -> list[str]:
    """Try out ``mutants``, those that take no server first; return the names of those that are not as they should be.

    Raises:
        DevstackError: a server does not come up, or a test fails without any mutant.
    """
    in_order = sorted(mutants.items(), key=lambda pair: pair[1].needs_servers)
    with servers(folder, wanted=any(mutant.needs_servers for mutant in mutants.values())) as lent:
        workshop = Workshop(folder, lent)
        sane = workshop.run(list(dict.fromkeys(mutant.test for _, mutant in in_order)))
        if sane.verdict is not Verdict.SURVIVED:
            raise DevstackError(f"{sane.said}\nthe tests do not all pass without any mutant")
        return [name for name, mutant in in_order if not _as_it_should_be(name, mutant, workshop.try_out(mutant))]


def _as_it_should_be(name: str, mutant: Mutant, result: Result) -> bool:
    """Say on a line what became of a mutant; return whether it is caught, or survives for a reason that is listed."""
    if mutant.survives and result.verdict is Verdict.SURVIVED:
        print(f"survives  {name}: {mutant.survives}", flush=True)
        return True
    print(f"{result.verdict:9} {name}: {result.test} ({result.seconds:.1f} s)", flush=True)
    if result.verdict is Verdict.BROKEN:
        print(result.said)
    if mutant.survives:
        print("          but it is listed as one that survives")
    return result.verdict is Verdict.CAUGHT and not mutant.survives


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
