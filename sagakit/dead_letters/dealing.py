"""Dealing with several dead letters at once: each is sent again or dropped by itself, and each has a result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sagakit.dead_letters.box import DeadLetterBox, Outcome, Replay
from sagakit.dead_letters.letter import Letter
from sagakit.errors import Refused, SagakitError

_WORDS = {
    "processed": "processed",
    "pending": "not yet reached by the group",
    "sent": "not waited for",
    "dropped": "dropped",
}


@dataclass(frozen=True)
class Result:
    """The outcome for one letter."""

    key: str
    state: str
    """``processed``, ``parked``, ``pending``, ``sent``, ``dropped`` or ``failed``."""
    sent_as: str = ""
    """Its new topic, partition and offset; where it was parked again, the new letter's key."""
    reason: str = ""
    round: int = 0
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether all was done that was asked for."""
        return self.state in {"processed", "sent", "dropped"}

    @property
    def words(self) -> str:
        """What became of the letter, for people."""
        if self.state == "failed":
            return f"failed: {self.error}"
        sent = f"sent again as {self.sent_as}, " if self.sent_as else ""
        what = f"parked again, {self.reason}, round {self.round}" if self.state == "parked" else _WORDS[self.state]
        return f"{sent}{what}"


def named(letters: Iterable[Letter], keys: Iterable[str]) -> list[Letter | str]:
    """Return the letters with these keys, each once, in this order; the key itself where there is none."""
    by_name = {letter.name: letter for letter in letters}
    return [by_name.get(key, key) for key in dict.fromkeys(keys)]


def replay(box: DeadLetterBox, letters: Sequence[Letter | str], wait: float) -> list[Result]:
    """Send each of ``letters`` again, then wait up to ``wait`` seconds for all of them together."""
    sent: list[Replay | Result] = []
    for letter in letters:
        if isinstance(letter, str):
            sent.append(_missing(letter))
            continue
        try:
            sent.append(box.replay(letter))
        except SagakitError as error:
            sent.append(Result(letter.name, "failed", error=explained(error)))
    replays = [one for one in sent if isinstance(one, Replay)]
    outcomes = iter(box.outcomes(replays, wait) if wait else [None] * len(replays))
    return [one if isinstance(one, Result) else _result(one, next(outcomes)) for one in sent]


def drop(box: DeadLetterBox, letter: Letter | str) -> Result:
    """Mark a letter as dealt with, and return what came of it."""
    if isinstance(letter, str):
        return _missing(letter)
    try:
        box.drop(letter)
    except SagakitError as error:
        return Result(letter.name, "failed", error=explained(error))
    return Result(letter.name, "dropped")


def explained(error: SagakitError) -> str:
    """Return the text of ``error``, with the reason that programs go by."""
    return f"{error} ({error.reason})" if isinstance(error, Refused) else str(error)


def _missing(key: str) -> Result:
    return Result(key, "failed", error="there is no such dead letter, or it was dealt with (LETTER_NOT_FOUND)")


def _result(replay: Replay, outcome: Outcome | None) -> Result:
    sent_as = "-".join(map(str, replay.place))
    if outcome is None:
        return Result(replay.letter.name, "sent", sent_as)
    if outcome.letter is None:
        return Result(replay.letter.name, outcome.state, sent_as)
    again = outcome.letter
    return Result(replay.letter.name, outcome.state, again.name, again.reason, again.round, again.error)
