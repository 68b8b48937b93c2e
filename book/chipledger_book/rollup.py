"""Balances of many sites in one table: by operator, consignee, ultimate parent or country.

Columns are added, each by itself. A hole at one site is never filled by an overage at another:
both stand in their columns, and so does the number of sites of every verdict. Test sites are
never added to real ones. Use of licences and ceilings is not added: one of them may cover several
of these sites, and each of their reports says all of its use.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, get_args

from chipledger_book.report import BalanceRow, GradeStack, SiteReport, View

By = Literal["parent", "operator", "consignee", "country"]
"""What sites are brought together by."""

_KEY: Final[Mapping[By, Callable[[SiteReport], str]]] = {
    "parent": lambda report: report.ultimate_parent,
    "operator": lambda report: report.operator,
    "consignee": lambda report: report.consignee,
    "country": lambda report: report.country,
}
BYS: Final[tuple[By, ...]] = get_args(By)


class RollUpRow(View, frozen=True, kw_only=True):
    """One model over several sites, in pieces unless the name says TPP; columns as in a balance.

    Attributes:
        sites: sites with a row of this model.
        sites_unaccounted: of these, with a hole.
        sites_over: of these, with an overage.
    """

    sku: str
    controlled: bool
    tpp_each: int
    sites: int
    sites_unaccounted: int
    sites_over: int
    book: int
    present: GradeStack
    declared: int
    stored: int
    explained: int
    silent: int
    disputed: int
    unaccounted: int
    overage: int
    silent_off_book: int
    disputed_off_book: int
    overdrawn: int
    book_tpp: int
    present_tpp: int
    unaccounted_tpp: int
    overage_tpp: int


class RollUp(View, frozen=True, kw_only=True):
    """The balances of all sites that have something in common.

    Attributes:
        by: what they have in common.
        key: its id, or the country.
        test: whether these are test sites.
        sites: their ids, sorted.
        rows: by model.
        unknown_models: seen chips of models that the catalogue does not know.
        physical: physical verdict → sites.
        authorisation: authorisation verdict → sites.
        held_tpp: the larger of book and seen, model by model and site by site, controlled models.
    """

    by: By
    key: str
    test: bool
    sites: tuple[str, ...]
    rows: tuple[RollUpRow, ...]
    unknown_models: int
    physical: dict[str, int]
    authorisation: dict[str, int]
    held_tpp: int
    v: Literal[1] = 1


def roll_up(reports: Iterable[SiteReport], by: By) -> tuple[RollUp, ...]:
    """Return the balances of sites brought together, by key; real sites before test sites."""
    groups: dict[tuple[bool, str], list[SiteReport]] = defaultdict(list)
    for report in reports:
        groups[report.test, _KEY[by](report)].append(report)
    return tuple(
        _group(sorted(of_key, key=lambda report: report.site), by, key, test=test)
        for (test, key), of_key in sorted(groups.items(), key=lambda group: group[0])
    )


def _group(reports: Sequence[SiteReport], by: By, key: str, *, test: bool) -> RollUp:
    models: dict[str, list[BalanceRow]] = defaultdict(list)
    for report in reports:
        for row in report.rows:
            models[row.sku].append(row)
    unknown = [model for report in reports for model in report.unknown_models]
    return RollUp(
        by=by,
        key=key,
        test=test,
        sites=tuple(report.site for report in reports),
        rows=tuple(_row(models[sku]) for sku in sorted(models)),
        unknown_models=sum(one.present.total + one.silent + one.disputed for one in unknown),
        physical=dict(sorted(Counter(str(report.physical) for report in reports).items())),
        authorisation=dict(
            sorted(Counter(str(report.authorisation) for report in reports).items())
        ),
        held_tpp=sum(report.tpp.counted for report in reports),
    )


def _row(rows: Sequence[BalanceRow]) -> RollUpRow:
    present = [row.present for row in rows]
    return RollUpRow(
        sku=rows[0].sku,
        controlled=rows[0].controlled,
        tpp_each=rows[0].tpp_each,
        sites=len(rows),
        sites_unaccounted=sum(row.unaccounted > 0 for row in rows),
        sites_over=sum(row.overage + row.silent_off_book > 0 for row in rows),
        present=GradeStack(
            G1=sum(one.G1 for one in present),
            G2=sum(one.G2 for one in present),
            G3=sum(one.G3 for one in present),
            G4=sum(one.G4 for one in present),
        ),
        **{column: sum(getattr(row, column) for row in rows) for column in _ADDED},
    )


_ADDED: Final = tuple(
    column
    for column in RollUpRow.__struct_fields__
    if column in BalanceRow.__struct_fields__
    and column not in ("sku", "controlled", "tpp_each", "present")
)
"""Columns that are sums of the same columns."""
