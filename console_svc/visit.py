"""One look at one page: who looks, at what, and by which services it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TypeVar

import grpc
from starlette.datastructures import QueryParams

from console_svc.failures import CallFailed, senseless
from console_svc.hub import Hub
from console_svc.numbers import positive
from console_svc.services import Service, Services
from console_svc.sources import Sources
from console_svc.visitors import Visitor

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")
OPERATE = "sagas:operate"
"""The scope of whoever may retry and cancel sagas."""


@dataclass(frozen=True)
class Visit:
    """One look at one page."""

    sources: Sources
    hub: Hub
    visitor: Visitor
    path: str
    query: QueryParams
    parts: Mapping[str, str]
    """What the page's path names, such as ``order_id``."""
    actor: str
    """The name under which the visitor acts; empty where it was not given yet."""
    csrf: str
    """What this browser's forms must carry."""
    zone: tzinfo
    acts: bool = False
    """Whether something is done, and not only looked at."""

    async def ask(
        self,
        service: Service[Any],
        method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, AnswerT]",
        request: RequestT,
    ) -> AnswerT:
        """Return a service's answer to the visitor.

        Raises:
            CallFailed: it does not answer, or refuses.
        """
        return await service.ask(method, request, self.visitor.token, acts=self.acts)

    @property
    def services(self) -> Services:
        """The services."""
        return self.sources.services

    @property
    def may_operate(self) -> bool:
        """Whether the visitor may retry and cancel sagas."""
        return self.visitor.may(OPERATE)

    def number(self, name: str) -> int | None:
        """Return a positive whole number of the query; None where it is missing or empty.

        Raises:
            CallFailed: it is something else.
        """
        text = self.text(name)
        number = positive(text)
        if text and number is None:
            raise senseless("It is a whole number above zero", name, text)
        return number

    @property
    def order_id(self) -> int:
        """Return the id that the page's path names.

        Raises:
            CallFailed: no order can have it.
        """
        return self.number_of("order_id", "an order")

    def number_of(self, part: str, what: str) -> int:
        """Return the id of ``what`` that ``part`` of the page's path is.

        Raises:
            CallFailed: nothing can have it.
        """
        number = positive(self.parts[part])
        if number is None:
            text = f"The id of {what} is a whole number above zero, and this is none. The list shows those there are."
            raise CallFailed(text, grpc.StatusCode.NOT_FOUND, "")
        return number

    def text(self, name: str) -> str:
        """Return a text of the query without blanks around it; empty where it is missing."""
        return self.query.get(name, "").strip()


Load = Callable[[Visit], Awaitable[Mapping[str, object]]]


@dataclass(frozen=True)
class Page:
    """One page: where it is, how its content is read, and how it is written."""

    path: str
    """As Starlette writes it: ``/sagas/{order_id}``."""
    title: str
    template: str
    """Its blocks that begin with ``live_`` are sent again whenever they have changed."""
    load: Load
    every: float = 5.0
    """After how many seconds it is read again while a browser shows it; its content may say otherwise as ``every``."""
