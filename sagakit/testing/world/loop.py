"""An event loop in a thread of a world in memory: real asyncio, by its clock."""

import asyncio
import math
import selectors
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

from sagakit.testing.world.green import CLOCK, Green, current, wait

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Nothing(selectors.BaseSelector):
    """Watches no file; it waits until the loop has something to do, by the world's clock."""

    def __init__(self) -> None:
        self.woken = False

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, -1, 0, None)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            wait(math.inf if timeout is None else CLOCK.now + timeout, lambda: self.woken)
        self.woken = False
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)


class Loop(asyncio.SelectorEventLoop):
    """The event loop of one process. Threads of the world run what it hands to an executor."""

    def __init__(self) -> None:
        """Make a loop for the process of the thread that runs."""
        self._nothing = _Nothing()
        super().__init__(self._nothing)
        self._owner = current().owner
        self.set_exception_handler(lambda _, context: self._judge(context))

    def time(self) -> float:
        return CLOCK.now

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._nothing.woken = True
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override] # noqa: ARG002
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is handed on
                self.call_soon_threadsafe(future.set_exception, error)
            else:
                self.call_soon_threadsafe(future.set_result, result)

        Green(self._owner, run)
        return future

    def _judge(self, context: Mapping[str, Any]) -> None:
        """Raise what no task handled; tasks that die with their process are no error."""
        error = context.get("exception")
        if error is not None and not self._owner.dead:
            raise error
