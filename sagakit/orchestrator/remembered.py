"""The sagas under way that this process remembers, so that it need not read them for their next messages."""

from collections.abc import Collection, Iterable

from sagakit.saga.instance import Instance

_MOST = 20_000


class Remembered:
    """Sagas as this process stored them last. Others may have changed them since: storing them again finds out."""

    def __init__(self, most: int = _MOST) -> None:
        """Remember up to ``most`` sagas, of about a kilobyte each: those that were kept last."""
        self._most = most
        self._kept: dict[int, Instance] = {}

    def recall(self, ids: Collection[int]) -> dict[int, Instance]:
        """Return those of the sagas ``ids`` that are remembered."""
        return {saga_id: self._kept[saga_id] for saga_id in ids if saga_id in self._kept}

    def keep(self, stored: Iterable[Instance]) -> None:
        """Remember ``stored``, which are committed; forget those that have ended, as no more should come for them."""
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
