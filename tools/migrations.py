"""The migrations' part of ``make lint``: no revision may hold up a table that is in use, or break when it is repeated.

Alembic writes each revision down as SQL, and squawk reads that. ``-- squawk-ignore rule`` above a statement, with the
reason beside it, excepts that statement; ``.squawk.toml`` excepts a rule everywhere.
"""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator

from alembic import command
from alembic.script import ScriptDirectory

from sagakit.postgres.migrations import configuration
from tools.paths import ROOT

_PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/migrations"))
_TRANSACTION = re.compile(r"^(BEGIN|COMMIT);$", re.MULTILINE)
_REPEATED = "prefer-robust-stmts"


def main() -> int:
    """Check every service's revisions, print what is wrong, and return the process's exit status."""
    found = [
        f"{package}/migrations: revision {revision}: {problem}"
        for package in _PACKAGES
        for revision, sql in revisions(package)
        for problem in problems(sql)
    ]
    for line in found:
        print(line, file=sys.stderr)
    print(f"migrations: {len(found)} problem(s)" if found else "migrations: all are online")
    return 1 if found else 0


def revisions(package: str) -> Iterator[tuple[str, str]]:
    """Yield each revision of ``package``, the first one first, with its SQL."""
    script = ScriptDirectory.from_config(configuration(package))
    for revision in reversed(list(script.walk_revisions())):
        config = configuration(package)
        config.output_buffer = written = io.StringIO()
        command.upgrade(config, f"{revision.down_revision or 'base'}:{revision.revision}", sql=True)
        yield revision.revision, written.getvalue()


def problems(sql: str) -> Iterator[str]:
    """Yield what is wrong with a revision's SQL."""
    for _, problem in _squawk(sql):
        yield problem
    if len(_TRANSACTION.findall(sql)) > 2:  # noqa: PLR2004 - one BEGIN, one COMMIT
        # What is committed before the revision is noted runs again where the rest was killed. squawk takes a
        # transaction for safe, so it is not shown any.
        for rule, problem in _squawk(_TRANSACTION.sub("", sql)):
            if rule == _REPEATED:
                yield problem


def _squawk(sql: str) -> Iterator[tuple[str, str]]:
    """Yield the rule that each statement breaks, and that in words."""
    run = ["squawk", "--config", str(ROOT / ".squawk.toml"), "--reporter", "json"]
    done = subprocess.run(run, input=sql, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"squawk: {done.stderr}")
    for found in json.loads(done.stdout):
        statement = sql.splitlines()[found["line"]].strip()
        yield (
            found["rule_name"],
            f"{statement}: {found['message']} ({found['rule_name']}) {found['help'] or ''}".strip(),
        )


if __name__ == "__main__":
    sys.exit(main())
