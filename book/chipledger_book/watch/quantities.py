"""Quantities near a limit and beyond it, and licences that end. The balance says how much."""

from collections.abc import Iterator
from dataclasses import dataclass

from chipledger_book.licences import Licence
from chipledger_book.report import LicenceUse, LineUse
from chipledger_book.statements import Role
from chipledger_book.timers import DAY_MS, Threshold, Timer
from chipledger_book.watch.facts import FactKind, Owner, Wait, WaitKind
from chipledger_book.watch.group_view import GroupView
from chipledger_book.watch.look import Found, Grounds
from chipledger_book.watch.poisson import PPM
from chipledger_book.watch.times import midnight_ms, plain_ms
from chipledger_book.watch.view import View


def uncovered(view: View) -> Iterator[Found]:
    """Yield, by model, the chips of a site that no licence or ceiling has room for, or is for."""
    report = view.measure.reports.get(view.site)
    if report is None:
        return
    pieces: dict[tuple[FactKind, str], int] = {}
    for one in report.uncovered:
        kind = FactKind.CAP_EXCEEDED if one.why == "exceeded" else FactKind.NOT_AUTHORISED
        pieces[kind, one.sku] = pieces.get((kind, one.sku), 0) + one.pieces
    for (kind, sku), number in pieces.items():
        yield view.fact(
            kind,
            f"{view.site}:{sku}",
            Grounds(since_ms=view.at_ms, counts={sku: number}, owner=view.consignee),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """How far something that bounds a quantity is used.

    Attributes:
        key: names the bound.
        name: the same in words.
        subject: who has it.
        sites: sites that use it.
        limit: how much it allows, in its own unit.
        used: how much is used.
        limit_tpp: the same in TPP, 0 where it is in pieces.
        used_tpp: the same.
        open: whether more may be drawn on it; what is closed cannot come nearer its limit.
    """

    key: str
    name: str
    subject: str
    sites: tuple[str, ...]
    limit: int
    used: int
    limit_tpp: int
    used_tpp: int
    open: bool


def caps(group: GroupView) -> Iterator[Found]:
    """Yield the licence lines and ceilings of a group that are nearly used up, or beyond."""
    near = group.gauge.amount(Threshold.CAP_NEAR)
    uses = {use.key: use for use in _uses(group)}
    for use in uses.values():
        if use.used > use.limit:
            yield _cap(group, FactKind.CAP_EXCEEDED, use)
        elif near is not None and use.open and use.used and use.used * PPM >= use.limit * near:
            yield _cap(group, FactKind.CAP_NEAR, use)


def _cap(group: GroupView, kind: FactKind, use: _Use) -> Found:
    over = max(0, use.used_tpp - use.limit_tpp) if kind is FactKind.CAP_EXCEEDED else 0
    return group.fact(
        kind,
        use.key,
        Grounds(
            since_ms=group.at_ms,
            counts={},
            owner=Owner(role=Role.CONSIGNEE, party=use.subject),
            extra_tpp=over,
            detail={
                "of": use.name,
                "limit": use.limit,
                "used": use.used,
                "limit_tpp": use.limit_tpp,
                "used_tpp": use.used_tpp,
                "sites": use.sites,
            },
        ),
        subject=use.subject,
    )


def _uses(group: GroupView) -> Iterator[_Use]:
    for report in group.reports:
        for licence in report.licences:
            for line in licence.lines:
                yield _line(licence, line, report.consignee)
        for ceiling in report.ceilings:
            yield _Use(
                key=f"{ceiling.ceiling}:{ceiling.subject}:{ceiling.window}",
                name=f"{ceiling.ceiling}, {ceiling.window}",
                subject=ceiling.subject,
                sites=ceiling.sites,
                limit=ceiling.limit_tpp,
                used=ceiling.used_tpp,
                limit_tpp=ceiling.limit_tpp,
                used_tpp=ceiling.used_tpp,
                open=ceiling.open,
            )


def _line(licence: LicenceUse, line: LineUse, consignee: str) -> _Use:
    model = line.sku or "any"
    return _Use(
        key=f"{licence.issuer}:{licence.number}:{licence.valid_from}:{model}",
        name=f"{licence.number}, {line.sku or 'any model'}",
        subject=consignee,
        sites=(),
        limit=line.limit,
        used=line.used,
        limit_tpp=line.limit_tpp or 0,
        used_tpp=line.used_tpp if line.limit_tpp is not None else 0,
        open=licence.open,
    )


def ending_licences(group: GroupView) -> Iterator[Found]:
    """Yield until when each licence of a group runs, and those that end soon with none after them.

    A licence that ended waits for nothing: what arrives after it is not authorised.
    """
    for licence in group.licences:
        since, due = _warned(group, licence)
        followed = _followed(licence, group.licences)
        yield Wait(
            kind=WaitKind.LICENCE,
            site=None,
            event=None,
            chip=None,
            key=_name(licence),
            owner=Owner(role=Role.CONSIGNEE, party=licence.consignee),
            since_ms=since,
            due_ms=due,
            done_ms=since if followed or group.at_ms > due else None,
        )
        if since <= group.at_ms <= due and not followed:
            yield group.fact(
                FactKind.LICENCE_EXPIRING,
                _name(licence),
                Grounds(
                    since_ms=since,
                    counts={},
                    owner=Owner(role=Role.CONSIGNEE, party=licence.consignee),
                    detail={"last_day": str(licence.valid_to), "number": licence.number},
                ),
                subject=licence.consignee,
            )


def _name(licence: Licence) -> str:
    return f"{licence.issuer}:{licence.number}:{licence.valid_from}"


def _warned(group: GroupView, licence: Licence) -> tuple[int, int]:
    """Return from when a licence is said to end, and its last millisecond."""
    due = midnight_ms(licence.valid_to) + DAY_MS - 1
    limit = group.gauge.limit(Timer.LICENCE_WARNING, midnight_ms(licence.valid_from))
    return due if limit is None else due + 1 - plain_ms(due, limit), due


def _followed(licence: Licence, others: tuple[Licence, ...]) -> bool:
    """Tell whether another licence of the same kind for the same party goes on after one."""
    return any(
        other.consignee == licence.consignee
        and other.type is licence.type
        and other.valid_to > licence.valid_to
        and (not other.sites or {*licence.sites} <= {*other.sites})
        and (bool(licence.sites) or not other.sites)
        for other in others
    )
