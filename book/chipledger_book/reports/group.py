"""Where the chips of a group are: TPP by country over the group's total, against its limits."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal

from chipledger_book.calendars import ShareLimit
from chipledger_book.licences import LicenceType
from chipledger_book.report import View
from chipledger_book.reports.header import Header, Source, Titled, header_of
from chipledger_book.reports.sheets import Sheet, columns
from chipledger_book.rules import Tables
from chipledger_book.tables import in_force_on

TITLED: Final = Titled(
    report="group-share",
    title="Share of the group's TPP by country",
    model="supplement no. 10 to part 748, paragraph 6: shares of the owner group's TPP",
)
WHOLE_PPM: Final = 1_000_000


class CountryShare(View, frozen=True, kw_only=True):
    """One country: what the group holds there, and its share in millionths, rounded down."""

    country: str
    facilities: tuple[str, ...]
    tpp: int
    share_ppm: int


class LimitUse(View, frozen=True, kw_only=True):
    """One limit, held against what it is for.

    Attributes:
        share: its name.
        where: the countries that are added up.
        tpp: what the group holds there.
        most_tpp: the most that the limit allows of this total, rounded down; inclusive.
        verdict: `within` or `exceeded`; `not-claimed` where nobody of the group holds the
            authorisation that brings the limit.
    """

    share: str
    status: str
    source: str
    where: tuple[str, ...]
    tpp: int
    share_ppm: int
    most_ppm: int
    most_tpp: int
    verdict: Literal["within", "exceeded", "not-claimed"]


class GroupShare(View, frozen=True, kw_only=True):
    """The report."""

    header: Header
    parent: str
    headquarters: str
    total_tpp: int
    countries: tuple[CountryShare, ...]
    limits: tuple[LimitUse, ...]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""
        return _countries_sheet(self), _limits_sheet(self)


def group_share(
    sources: Sequence[Source], tables: Tables, claimed: Iterable[LicenceType], *, made_by: str
) -> GroupShare:
    """Return the shares of a group at the end of a period, from documents of all facilities.

    `claimed` are the types of the licences that the group holds; the facility that was asked for
    comes first.
    """
    first = sources[0].document
    tpp: Counter[str] = Counter()
    sites: dict[str, list[str]] = {}
    for document in (source.document for source in sources):
        tpp[document.site.country] += document.balance.tpp.counted
        sites.setdefault(document.site.country, []).append(document.site.id)
    parent = first.site.ultimate_parent
    return GroupShare(
        header=header_of(
            TITLED,
            sources,
            population=f"the controlled chips of {len(sources)} facilities of {parent.id} that "
            "are entered here: the larger of book and seen, model by model",
            made_by=made_by,
            query={"parent": parent.id},
        ),
        parent=parent.id,
        headquarters=parent.headquarters,
        total_tpp=sum(tpp.values()),
        countries=tuple(_shares(tpp, sites)),
        limits=tuple(
            use
            for limit in _limits(tables, first.last_day, parent.headquarters)
            for use in _uses(
                limit,
                tpp,
                inside=_inside(limit, tables, first.last_day),
                claimed=frozenset(claimed),
            )
        ),
    )


def _shares(tpp: Counter[str], sites: Mapping[str, Sequence[str]]) -> Iterator[CountryShare]:
    for country in sorted(sites):
        yield CountryShare(
            country=country,
            facilities=tuple(sorted(sites[country])),
            tpp=tpp[country],
            share_ppm=_ppm(tpp[country], sum(tpp.values())),
        )


def _ppm(part: int, total: int) -> int:
    return part * WHOLE_PPM // total if total else 0


def _limits(tables: Tables, day: date, headquarters: str) -> list[ShareLimit]:
    rows = () if tables.calendars is None else tables.calendars.shares
    return [
        row
        for row in rows
        if in_force_on(day, row.valid_from, row.valid_to)
        and (not row.headquarters or headquarters in row.headquarters)
    ]


def _inside(limit: ShareLimit, tables: Tables, day: date) -> frozenset[str]:
    """Return the countries that a limit does not count."""
    lists = (tables.countries.members(name, day) for name in limit.inside_lists)
    return frozenset(limit.inside).union(*lists)


def _uses(
    limit: ShareLimit,
    tpp: Counter[str],
    *,
    inside: frozenset[str],
    claimed: frozenset[LicenceType],
) -> Iterable[LimitUse]:
    total = sum(tpp.values())
    outside = sorted(country for country in tpp if country not in inside)
    groups = [tuple(outside)] if limit.of == "together" else [(one,) for one in outside]
    for where in groups:
        held = sum(tpp[country] for country in where)
        over = held * WHOLE_PPM > limit.most_ppm * total
        verdict: Literal["within", "exceeded", "not-claimed"] = "exceeded" if over else "within"
        if limit.licence_type not in claimed:
            verdict = "not-claimed"
        yield LimitUse(
            share=limit.share,
            status=str(limit.status),
            source=limit.source,
            where=where,
            tpp=held,
            share_ppm=_ppm(held, total),
            most_ppm=limit.most_ppm,
            most_tpp=limit.most_ppm * total // WHOLE_PPM,
            verdict=verdict,
        )


def percent(ppm: int) -> str:
    """Return millionths as percent, exact to four places: ``7.0000 %``."""
    return f"{ppm // 10_000}.{ppm % 10_000:04d} %"


def _countries_sheet(report: GroupShare) -> Sheet:
    return Sheet(
        name="countries",
        title=f"TPP of {report.parent} by country",
        columns=columns(
            ("country", "Country"),
            ("facilities", "Facilities"),
            ("tpp", "TPP"),
            ("share", "Share of the total"),
        ),
        rows=(
            *(
                (one.country, ", ".join(one.facilities), one.tpp, percent(one.share_ppm))
                for one in report.countries
            ),
            ("all", "", report.total_tpp, percent(WHOLE_PPM if report.total_tpp else 0)),
        ),
        totals=1,
        note="Only facilities that are entered here. What the group holds elsewhere changes "
        "every share and is not known. Shares are rounded down; limits are held against "
        "exact numbers.",
    )


def _limits_sheet(report: GroupShare) -> Sheet:
    return Sheet(
        name="limits",
        title="Held against the limits",
        columns=columns(
            ("limit", "Limit"),
            ("status", "Legal status"),
            ("where", "Countries"),
            ("tpp", "TPP"),
            ("share", "Share"),
            ("most", "At most"),
            ("most_tpp", "At most, TPP"),
            ("verdict", "Verdict"),
            ("source", "Source"),
        ),
        rows=tuple(
            (
                *(one.share, one.status.replace("-", " "), ", ".join(one.where) or "none", one.tpp),
                *(percent(one.share_ppm), percent(one.most_ppm), one.most_tpp),
                *(one.verdict.replace("-", " "), one.source),
            )
            for one in report.limits
        ),
    )
