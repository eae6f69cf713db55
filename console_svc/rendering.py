"""Templates: a whole page for a browser that comes, and its live parts for one that stays."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from console_svc import drawing, saga_words, words
from console_svc.forgery import FIELD
from console_svc.masking import Masking
from console_svc.pulse import Pulse
from console_svc.visit import Page, Visit

STATIC = Path(__file__).with_name("static")
"""The folder of what browsers load beside pages."""
LIVE = "live_"
"""How the names of the blocks begin that are sent again when they change."""
NAV = (
    ("/", "Overview"),
    ("/sagas", "Sagas"),
    ("/orders", "Orders"),
    ("/products", "Products"),
    ("/dead-letters", "Dead letters"),
    ("/system", "System"),
)
"""The pages that every page leads to."""
_COLOURS = ("#0f766e", "#7c3aed", "#be185d", "#4d7c0f", "#0369a1")
_KNOWN = {"local": "#475569", "production": "#b91c1c", "prod": "#b91c1c", "staging": "#b45309"}
"""Production is always red, and one's own machine never."""


class Rendering:
    """Writes pages."""

    def __init__(self, environment: str, *, signs_in: bool, shows_addresses: bool, trace_url: str | None) -> None:
        """Show ``environment`` on each page, whether visitors sign in and out, and postal addresses only if so.

        Traces are linked to ``trace_url``, which has ``{trace_id}`` in it; where it is None they are not.
        """
        masking = Masking(shown=shows_addresses)
        made = Environment(loader=PackageLoader("console_svc"), autoescape=True, undefined=StrictUndefined)
        made.trim_blocks = made.lstrip_blocks = True
        made.filters.update(
            span=words.span, when=words.when, clock=words.clock, clock_of=words.clock_of, moment=words.moment,
            thousands=words.thousands, plural=words.plural, short=words.without_suffix,
            saga_status=words.saga_status, order_status=words.order_status,
        )  # fmt: skip
        made.globals.update(
            environment=environment,
            signs_in=signs_in,
            trace_url=trace_url,
            asset=asset,
            csrf_field=FIELD,
            between=words.between,
            happened=words.happened,
            lying=drawing.lying,
            upright=drawing.upright,
            tone_of=saga_words.tone,
            sentence_of=saga_words.sentence,
            next_of=saga_words.what_next,
            address_of=masking.address,
            masked_json=masking.record,
            masked_hex=masking.undecoded,
            nav=NAV,
        )
        self._macros: Any = made.get_template("macros.html").module
        made.globals["ui"] = self._macros
        for name in made.list_templates():
            made.get_template(name)  # compiled now, for nobody to wait for it
        self._templates = made

    def page(self, page: Page, visit: Visit, pulse: Pulse, content: Mapping[str, object]) -> str:
        """Return a whole page."""
        words.ZONE.set(visit.zone)
        return self._templates.get_template(page.template).render(**_common(page, visit, pulse), **content)

    def is_live(self, page: Page) -> bool:
        """Say whether a page has live parts of its own."""
        return any(name.startswith(LIVE) for name in self._templates.get_template(page.template).blocks)

    def live_parts(self, page: Page, visit: Visit, pulse: Pulse, content: Mapping[str, object]) -> dict[str, str]:
        """Return the live parts of a page, and those that every page has, by their names."""
        words.ZONE.set(visit.zone)
        given = {**_common(page, visit, pulse), **content}
        template, base = self._templates.get_template(page.template), self._templates.get_template("base.html")
        blocks = {**base.blocks, **template.blocks}
        return {
            name: "".join(block(template.new_context(dict(given))))
            for name, block in blocks.items()
            if name.startswith(LIVE)
        }

    def trouble(self, sentence: str) -> str:
        """Return what a page says while its content cannot be read."""
        return str(self._macros.trouble(sentence))

    def plain(self, template: str, **content: object) -> str:
        """Return a page that stands by itself, such as the one to sign in at."""
        return self._templates.get_template(template).render(**content)


def _common(page: Page, visit: Visit, pulse: Pulse) -> dict[str, Any]:
    return {"title": page.title, "page": page, "visit": visit, "pulse": pulse, "zone_name": str(visit.zone)}


def colour_of(environment: str) -> str:
    """Return the colour of an environment, by its name."""
    number = hashlib.sha256(environment.encode()).digest()[0] % len(_COLOURS)
    return _KNOWN.get(environment.lower(), _COLOURS[number])


@cache
def asset(name: str) -> str:
    """Return the address of a file in the static folder, with a digest of its content: it may be kept for ever."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
