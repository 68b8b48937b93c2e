"""The overview's table: sorted and filtered on the server, so that it needs no script."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chipledger_book.report import Authorisation, Physical
from chipledger_server.usecases.showing.sites import SEVERITIES, SiteSummary

_WORSE_PHYSICAL: Final = (
    Physical.BOTH,
    Physical.UNACCOUNTED,
    Physical.OVERAGE,
    Physical.UNRESOLVED,
    Physical.NOTHING_TO_COMPARE,
    Physical.AGREES,
)
_WORSE_AUTHORISATION: Final = (
    Authorisation.EXCEEDED,
    Authorisation.NOT_AUTHORISED,
    Authorisation.UNKNOWN_MODEL,
    Authorisation.WITHIN,
    Authorisation.NOT_REQUIRED,
)


def _severity(site: SiteSummary) -> int:
    return SEVERITIES.index(site.worst) if site.worst else len(SEVERITIES)


def _physical(site: SiteSummary) -> int:
    return _WORSE_PHYSICAL.index(Physical(site.physical))


def _authorisation(site: SiteSummary) -> int:
    return _WORSE_AUTHORISATION.index(Authorisation(site.authorisation))


def _use(site: SiteSummary) -> tuple[int, int]:
    """Return what is beyond, then the use in thousandths; a site without a limit stands last."""
    allowed = site.tpp_used + (site.tpp_left or 0)
    stated = site.tpp_left is not None and allowed
    return -site.tpp_beyond, -(site.tpp_used * 1000 // allowed) if stated else 1


_KEYS: Final[Mapping[str, Callable[[SiteSummary], Any]]] = {
    "worst": lambda site: (_severity(site), _physical(site), _authorisation(site), site.id),
    "site": lambda site: site.id,
    "physical": lambda site: (_physical(site), site.id),
    "authorisation": lambda site: (_authorisation(site), site.id),
    "tpp": lambda site: (*_use(site), site.id),
    "received": lambda site: (-site.received, site.id),
    "present": lambda site: (-site.present.total, site.id),
    "unaccounted": lambda site: (-site.unaccounted, site.id),
    "overage": lambda site: (-site.overage, site.id),
    "disputed": lambda site: (-site.disputed, site.id),
    "silent": lambda site: (-site.silent, site.id),
}
"""Orders of the table, worst or largest first."""

SHOWS: Final = ("all", "trouble", "findings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What of the overview is asked for.

    Attributes:
        sort: order; one of the columns.
        reverse: the other way round.
        find: text that id, name, country, operator or parent must hold.
        show: all sites, those with a verdict to look at, or those with open findings.
    """

    sort: str = "worst"
    reverse: bool = False
    find: str = ""
    show: str = "all"

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Overview":
        """Return what an address asks for; what it does not know is left at its default."""
        sort, show = query.get("sort", "worst"), query.get("show", "all")
        return cls(
            sort=sort if sort in _KEYS else "worst",
            reverse=query.get("order") == "reverse",
            find=str(query.get("find", ""))[:64].strip(),
            show=show if show in SHOWS else "all",
        )

    def order_for(self, column: str) -> str | None:
        """Return the `order` parameter of the link that sorts by a column, or turns it round."""
        return "reverse" if column == self.sort and not self.reverse else None

    def aria(self, column: str) -> str:
        """Return how a column is sorted, for those who listen."""
        if column != self.sort:
            return "none"
        return "ascending" if self.reverse else "descending"


def arrange(sites: Sequence[SiteSummary], asked: Overview) -> list[SiteSummary]:
    """Return the sites that are asked for, in the order that is asked for."""
    found = [site for site in sites if _fits(site, asked)]
    return sorted(found, key=_KEYS[asked.sort], reverse=asked.reverse)


def _fits(site: SiteSummary, asked: Overview) -> bool:
    words = (site.id, site.name, site.country, site.operator, site.ultimate_parent)
    if asked.find and not any(asked.find.casefold() in word.casefold() for word in words):
        return False
    if asked.show == "findings":
        return site.findings > 0
    return asked.show == "all" or troubled(site)


def troubled(site: SiteSummary) -> bool:
    """Tell whether one of the two verdicts asks for somebody's attention."""
    quiet = (Physical.AGREES, Physical.NOTHING_TO_COMPARE)
    return site.physical not in quiet or site.authorisation not in (
        Authorisation.WITHIN,
        Authorisation.NOT_REQUIRED,
    )
