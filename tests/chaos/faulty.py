"""The fault build of a service: ``python -m tests.chaos.faulty <service>`` runs its ordinary main, with faults set in.

Production code carries no test hooks. The seams are patched from outside, before the service is imported to run:
`faulty_points` sets in the crash points, `faulty_mutants` what is deliberately broken. The environment chooses:

- ``FAULT_FLAG`` is a file. While it exists, the crash point that it names is armed, and fires once (`faulty_fuse`).
  Without the file the build does what production does.
- ``MUTANT`` names what is broken from start to end.
"""

import os
import runpy
import sys
from pathlib import Path

from tests.chaos import faulty_mutants, faulty_points
from tests.chaos.faulty_fuse import Fuse


def main() -> None:
    """Set in what the environment asks for, and be the service."""
    service = sys.argv[1]
    faulty_points.set_in(Fuse(Path(os.environ["FAULT_FLAG"])))
    if mutant := os.environ.get("MUTANT"):
        faulty_mutants.MUTANTS[mutant]()
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
