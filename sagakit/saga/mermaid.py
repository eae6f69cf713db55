"""A saga's declaration as a drawing in Mermaid, for pages that render it."""

from collections.abc import Iterator

from sagakit.saga.declaration import Saga


def mermaid(saga: Saga) -> str:
    """Return a flow chart: the steps from left to right, below each the undo, and the pivot named.

    Raises:
        ValueError: a function of the declaration does not say what it returns.
    """
    return "\n".join(_lines(saga))


def _lines(saga: Saga) -> Iterator[str]:
    *commands, completed, compensated = (command.__name__ for command in saga.commands)
    yield "flowchart LR"
    yield f"    start([{saga.start.__name__}]) --> do0"
    for at, (step, do, undo) in enumerate(zip(saga.steps, commands[::2], commands[1::2], strict=True)):
        pivot = "<br/>the pivot" if step.pivot else ""
        yield f'    do{at}["{step.name}<br/>{do}{pivot}"] --> {_after(saga, at)}'
        yield f"    do{at} -. undone by .-> undo{at}[{undo}]"
        yield f"    undo{at} -.-> {f'undo{at - 1}' if at else 'compensated'}"
    yield f"    completed([{completed}])"
    yield f"    compensated([{compensated}])"


def _after(saga: Saga, at: int) -> str:
    return f"do{at + 1}" if at + 1 < len(saga.steps) else "completed"
