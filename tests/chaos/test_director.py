"""A fault is over when its servers answer again, not when they are told to start."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import cast

from tests.chaos.director import Director
from tests.chaos.nemeses import Fault, Nemesis
from tests.chaos.stage import Stage


class SlowServer:
    """A server that answers only when it has been asked a third time since its fault was healed."""

    def __init__(self) -> None:
        self.asked_since = 0
        self.healed = False

    def ready(self) -> bool:
        self.asked_since += self.healed
        return not self.healed or self.asked_since > 2


class Scene:
    """What a director sees of a stage: one server, and a recorder that notes when a fault is over."""

    def __init__(self) -> None:
        self.kafka = SlowServer()
        self.asked_when_over = 0
        self.recorder = self

    def server(self, _: str) -> SlowServer:
        return self.kafka

    @contextmanager
    def fault(self, *_: object) -> Iterator[None]:
        yield
        self.asked_when_over = self.kafka.asked_since

    @contextmanager
    def harm(self, _: Stage, __: Random) -> Iterator[str]:
        yield "kafka killed"
        self.kafka.healed = True


def test_a_fault_lasts_until_its_servers_answer_again() -> None:
    scene = Scene()
    nemesis = Nemesis("kill-kafka", frozenset({"kafka"}), (0, 0), 0, scene.harm)
    Director(cast("Stage", scene), lambda _: None).play([Fault(1, nemesis, 0.0, 0.0, "seed")], 0.1)
    assert scene.asked_when_over == 3
