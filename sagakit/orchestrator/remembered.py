"""What this process remembers of sagas under way, so that their next messages need not wait for them to be read."""

from collections.abc import Collection, Iterable

from sagakit.saga.instance import Instance

_MOST = 20_000


class Remembered:
    """Sagas as this process stored them last. Others may have changed them since: whoever stores them again is told."""

    def __init__(self, most: int = _MOST) -> None:
        """Remember up to ``most`` sagas, of about a kilobyte each: those that were kept last."""
        self._most = most
        self._kept: dict[int, Instance] = {}

    def recall(self, ids: Collection[int]) -> dict[int, Instance]:
        """Return those of the sagas ``ids`` that are remembered."""
        return {saga_id: self._kept[saga_id] for saga_id in ids if saga_id in self._kept}

    def keep(self, stored: Iterable[Instance]) -> None:
        """Remember ``stored``, which are committed; what has ended is forgotten: nothing more should come for it."""
        for instance in stored:
            self._kept.pop(instance.saga_id, None)
            if not instance.ended:
                self._kept[instance.saga_id] = instance
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def forget(self, ids: Iterable[int]) -> None:
        """Forget ``ids``: somebody else has changed them."""
        for saga_id in ids:
            self._kept.pop(saga_id, None)
