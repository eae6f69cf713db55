"""The report of a round, for a person to read."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import in_a_line, machine
from devstack.layout import ROOT
from tests.chaos.checker import INVARIANTS
from tests.chaos.checker_common import Case
from tests.chaos.checker_handling import healings
from tests.chaos.evidence import Evidence, Outcome
from tests.chaos.report_orders import orders_of
from tests.chaos.round import Result
from tools import git

_MOST_SHOWN = 20


def report(result: Result, logs: Path) -> str:
    """Return the report as markdown; ``logs`` is the folder of the services' logs."""
    return "\n".join(_lines(result, logs)) + "\n"


def _lines(result: Result, logs: Path) -> Iterator[str]:
    settings, evidence = result.settings, result.evidence
    good = not result.violations
    yield f"# Chaos, seed {settings.seed}: {'every invariant holds' if good else 'NOT PASSED'}"
    yield ""
    again = f"make chaos DURATION={settings.duration:.0f} SEED={settings.seed} REPLICAS={settings.replicas}"
    chosen = f" NEMESES={','.join(settings.nemeses)}" if settings.nemeses else ""
    closed = " SECURE=1" if settings.secure else ""
    yield f"The same faults and customers again: `{again}{chosen}{closed}`"
    yield ""
    yield from _origin(evidence)
    yield f"- {settings.duration:.0f} s of load and faults, {settings.replicas} replica(s) of each service"
    faults = [fault for fault in result.faults if not fault.error]
    missed = (
        f"; {len(result.faults) - len(faults)} more did not come to pass" if len(faults) < len(result.faults) else ""
    )
    yield f"- {len(faults)} faults of {len({fault.kind for fault in faults})} kinds{missed}"
    final = "NOT all final" if result.final_after is None else f"all final {result.final_after:.1f} s"
    yield f"- {final} after the last heal (bound: {settings.bound:.0f} s)"
    yield f"- logs: `{logs}`"
    yield from _verdict(result)
    yield from orders_of(result.violations, Case(evidence))
    yield from _table("Orders by outcome", "outcome", _outcomes(evidence))
    yield from _table("Calls by answer", "call", result.codes)
    yield from _table("What was healed, by the last fault that explains it", "healing", _healings(evidence))
    yield from _table("Faults by kind", "kind", Counter(fault.kind for fault in faults))
    yield from _table("Records", "what", _records(evidence))
    yield from _table("Dead letters by group and reason", "reason", _letters(evidence))
    yield from _table("Restarts by the supervisor", "part", result.restarts)
    yield from _table("Looks that a server's absence prevented", "what", result.missed)
    yield from _table("Batches rewound", "service", _rewound(logs))
    yield from _table("Errors in the logs", "service and event", _errors(logs))
    yield from _deaths(result)
    yield from _time_line(result)


def _origin(evidence: Evidence) -> Iterator[str]:
    """Say what was run, when and where: with another commit, or on another machine, a round may come out otherwise."""
    commit = git.run(ROOT, "describe", "--always", "--dirty", "--exclude=*").decode().strip()
    began = datetime.fromtimestamp(evidence.epoch / 1_000_000, UTC)
    yield f"- commit {commit or 'unknown'}, {began:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- {in_a_line(machine())}"


def _verdict(result: Result) -> Iterator[str]:
    yield from ("", "## Verdict", "", "| | invariant | |", "|---|---|---|")
    for number, (text, _) in INVARIANTS.items():
        found = sum(violation.invariant == number for violation in result.violations)
        yield f"| {number} | {text} | {'holds' if not found else f'**{found} violations**'} |"
    for number in INVARIANTS:
        found_texts = [violation.text for violation in result.violations if violation.invariant == number]
        if found_texts:
            yield from ("", f"### Violations of ({number})", "")
            yield from (f"- {text}" for text in found_texts[:_MOST_SHOWN])
            if len(found_texts) > _MOST_SHOWN:
                yield f"- … and {len(found_texts) - _MOST_SHOWN} more"


def _table(title: str, what: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        yield from ("", f"## {title}", "", f"| {what} | |", "|---|---:|")
        yield from (f"| {name} | {count} |" for name, count in sorted(counts.items()))


def _outcomes(evidence: Evidence) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in evidence.rows.orders.values():
        found[f"{row.status} {row.cancel_reason or ''}".strip()] += 1
    requests = {call.request_id: call for call in evidence.creates}
    answered = {call.request_id for call in evidence.creates if call.outcome is not Outcome.UNANSWERED}
    found["(requests made)"] = len(requests)
    found["(requests never answered)"] = len(requests.keys() - answered)
    found["(ids given again after a restore)"] = len(evidence.removed().keys() & evidence.rows.orders.keys())
    return found


def _records(evidence: Evidence) -> Counter[str]:
    records = evidence.records
    answers = Counter((r.causation_id, r.type, r.order_id) for r in records if r.causation_id)
    commands = Counter((r.order_id, r.type) for r in records if r.type.endswith("Command"))
    return Counter(
        {
            "on the six topics": len(records),
            "cannot be decoded": sum(not r.type for r in records),
            "message ids that came again": _repeats(Counter(r.message_id for r in records)),
            "answers given again (batches that were redelivered)": _repeats(answers),
            "commands sent again": _repeats(commands),
            "outbox rows seen waiting": len(evidence.outbox),
            "samples of committed offsets": len(evidence.offsets),
            "time-outs of steps": sum(event.type == "STEP_TIMED_OUT" for event in evidence.rows.events),
        }
    )


def _repeats(counts: Counter[str] | Counter[tuple[str, str, int]] | Counter[tuple[int, str]]) -> int:
    return sum(count - 1 for count in counts.values())


def _healings(evidence: Evidence) -> Counter[str]:
    return Counter(f"{one.kind}: {(one.faults or ('**nothing**',))[-1]}" for one in healings(Case(evidence)))


def _letters(evidence: Evidence) -> Counter[str]:
    return Counter(f"{letter.group} {letter.reason}" for letter in evidence.dead_letters)


def _logged(logs: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(logs.glob("*_svc*.log")):
        with path.open(errors="replace") as lines:
            yield from ((path.stem, line) for line in lines)


def _rewound(logs: Path) -> Counter[str]:
    return Counter(name for name, line in _logged(logs) if '"batch rewound"' in line)


def _errors(logs: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, line in _logged(logs):
        if '"level": "error"' in line or '"level": "critical"' in line:
            try:
                event = str(json.loads(line).get("event"))
                found[f"{name}: {event.partition('[')[0].strip()}"] += 1  # librdkafka's differ in what follows
            except ValueError:
                found[f"{name}: (a line that is no JSON)"] += 1
        elif line.startswith("Traceback"):
            found[f"{name}: a traceback outside the log"] += 1
    return found


def _deaths(result: Result) -> Iterator[str]:
    if result.deaths:
        yield from ("", "## Ended by themselves", "")
        yield from (f"- {when:.1f} s: {name}: `{line}`" for when, name, line in result.deaths[:_MOST_SHOWN])


def _time_line(result: Result) -> Iterator[str]:
    yield from ("", "## Time line of the faults", "", "| began (s) | lasted (s) | kind | |", "|---:|---:|---|---|")
    for fault in sorted(result.faults, key=lambda one: one.began):
        text = _joined([fault.summary, f"**{fault.error}**" if fault.error else ""])
        yield f"| {fault.began:.1f} | {fault.ended - fault.began:.1f} | {fault.kind} | {text} |"


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(text for text in texts if text).replace("|", "/")
