"""Turning what a reader is shown into pages: one Jinja environment, its filters, its links."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.allowances import allowances
from chipledger_server.usecases.limits import CANNOT_SEE
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.times import time_text
from chipledger_server.usecases.words import (
    AUTHORISATION_WORDS,
    PHYSICAL_WORDS,
    authorisation_reason,
    grade_words,
    licensed,
    number,
    physical_reason,
    pieces,
    tpp_use,
)
from chipledger_server.web.charts import licence_bar, present_bar, stack_bar, tpp_bar

_SHORT_ID: Final = 12
_SPANS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """The times a page was asked for, as texts, so that its links lead to the same times.

    Attributes:
        as_of: as written in the address, or empty for now.
        known_at: as written in the address, or empty for now.
        when: the two times.
        now_ms: the time of the request.
    """

    as_of: str
    known_at: str
    when: When
    now_ms: int

    @property
    def now(self) -> bool:
        """Tell whether the page shows the present."""
        return not self.as_of and not self.known_at

    def link(self, path: str, **extra: str | None) -> str:
        """Return an address on this server at the same times, with more parameters."""
        asked = {"as_of": self.as_of, "known_at": self.known_at, **extra}
        query = urlencode({name: value for name, value in asked.items() if value})
        where = quote(path, safe="/-_.~")
        return f"{where}?{query}" if query else where


def environment(static: Mapping[str, str]) -> Environment:
    """Return the environment of all templates.

    Args:
        static: name of each static file → its address.
    """
    made = Environment(
        loader=PackageLoader("chipledger_server.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        num=number,
        pieces=pieces,
        time=time_text,
        grade=lambda value: grade_words(Grade(value)),
        short=short,
        span=span,
        pretty=pretty,
        plain=lambda value: str(value).replace("-", " "),
    )
    made.globals.update(
        static=static,
        GRADES=[(grade.value, GRADE_WORDS[grade]) for grade in Grade],
        CANNOT_SEE=CANNOT_SEE,
        PHYSICAL_WORDS=PHYSICAL_WORDS,
        AUTHORISATION_WORDS=AUTHORISATION_WORDS,
        physical_reason=physical_reason,
        authorisation_reason=authorisation_reason,
        tpp_use=tpp_use,
        tpp_bar=tpp_bar,
        allowances=allowances,
        licensed=licensed,
        stack_bar=stack_bar,
        licence_bar=licence_bar,
        present_bar=present_bar,
    )
    return made


class Pages:
    """Renders templates for a reader at a time."""

    def __init__(self, made: Environment, *, collector: str) -> None:
        self._environment = made
        self._collector = collector

    def render(
        self,
        template: str,
        *,
        reader: Principal | None,
        travel: Travel | None,
        **context: Any,  # noqa: ANN401 - whatever the template shows
    ) -> str:
        """Return the page."""
        return self._environment.get_template(template).render(
            collector=self._collector, reader=reader, travel=travel, **context
        )


def short(text: str) -> str:
    """Return the beginning of a long id; the whole stands in the page's title attributes."""
    return text if len(text) <= _SHORT_ID + 1 else text[:_SHORT_ID] + "…"


def span(millis: int) -> str:
    """Return a span of time in its largest whole unit: ``3 h``."""
    for unit_ms, name in _SPANS:
        if millis >= unit_ms:
            return f"{millis // unit_ms} {name}"
    return "under 1 s"


def pretty(raw: msgspec.Raw | bytes) -> str:
    """Return JSON laid out for reading."""
    return msgspec.json.format(bytes(raw), indent=2).decode()
