"""What a bound says of what counts: integers alone, every bound inclusive."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from chipledger_book.catalogue import Sku
from chipledger_book.ceilings.holdings import Scene
from chipledger_book.ceilings.measure import Owned, Sum, owned, received
from chipledger_book.limit_kinds import (
    PPM,
    AmountLimit,
    AttributeLimit,
    CountLimit,
    Limit,
    ShareLimit,
    SteppedLimit,
    current_labels,
    quarter,
)
from chipledger_book.rule_report import LimitUse, LimitVerdict

_DUTIES = ("notice", "certificate")


def judge(limit: Limit, scene: Scene) -> Iterator[LimitUse]:
    """Yield what a limit says of every subject of a scene that it is for."""
    bound = limit.bound
    if limit.counts == "licensed":
        return  # per country, over the whole ledger: see `countries`
    if limit.counts == "received":
        yield from _flows(limit, scene)
    elif isinstance(bound, ShareLimit):
        yield from _shares(limit, bound, scene)
    elif isinstance(bound, AttributeLimit):
        yield from _attributes(limit, bound, scene)
    else:
        yield from _stocks(limit, scene)


def _flows(limit: Limit, scene: Scene) -> Iterator[LimitUse]:
    """Yield the use of every window; of shipments only those that bring something about."""
    for (subject, part), total in sorted(received(limit, scene).items()):
        use = measured(limit, scene, total, of=subject, part=part)
        if limit.window != "shipment" or use.verdict in (LimitVerdict.DUE, LimitVerdict.EXCEEDED):
            yield use


def _stocks(limit: Limit, scene: Scene) -> Iterator[LimitUse]:
    sums: dict[str, Sum] = defaultdict(Sum)
    for one in owned(limit, scene):
        sums[one.subject].add(one.site.id, one.sku, one.pieces)
    part = quarter(scene.day) if not isinstance(limit.bound, CountLimit) else str(scene.day)
    for subject, total in sorted(sums.items()):
        yield measured(limit, scene, total, of=subject, part=part)


def measured(
    limit: Limit,
    scene: Scene,
    total: Sum,
    *,
    of: str,
    part: str,
    uncounted: tuple[str, ...] = (),
) -> LimitUse:
    """Return a sum held against an amount: of TPP, of pieces, or of the step of the day."""
    bound = limit.bound
    if isinstance(bound, CountLimit):
        over = max(0, total.pieces - bound.pieces)
        return _use(
            limit,
            total.sites,
            of=of,
            part=part,
            unit="pieces",
            used=total.pieces,
            most=bound.pieces,
            over_tpp=-(-total.tpp * over // total.pieces) if over else 0,
            uncounted=uncounted,
        )
    return _use(
        limit,
        total.sites,
        of=of,
        part=part,
        unit="tpp",
        used=total.tpp,
        most=_most(limit, scene),
        uncounted=uncounted,
    )


def _most(limit: Limit, scene: Scene) -> int | None:
    """Return the TPP that a limit allows on the day, or None where it names none for it."""
    bound = limit.bound
    if isinstance(bound, AmountLimit):
        return bound.amount
    step = bound.on(scene.day) if isinstance(bound, SteppedLimit) else None
    return None if step is None else step.amount


def _shares(limit: Limit, bound: ShareLimit, scene: Scene) -> Iterator[LimitUse]:
    groups: dict[str, list[Owned]] = defaultdict(list)
    for one in owned(limit, scene):
        groups[one.subject].append(one)
    for subject, members in sorted(groups.items()):
        base = [one for one in members if not bound.base or _on(scene, bound.base, one)]
        part = [one for one in members if _in_part(scene, bound, one)]
        if not _has_headquarters(scene, bound, members):
            continue
        pieces = _pieces_of(scene, bound, part) if bound.each else {"": part}
        for name, chips in sorted(pieces.items()):
            whole = [one for one in base if bound.each != "model" or one.sku.sku == name]
            yield _share(limit, bound, chips, whole, of=subject, part=name)


def _in_part(scene: Scene, bound: ShareLimit, one: Owned) -> bool:
    if bound.outside:
        return not _on(scene, bound.outside, one)
    return not bound.inside or _on(scene, bound.inside, one)


def _on(scene: Scene, lists: Iterable[str], one: Owned) -> bool:
    countries = scene.tables.countries
    return any(countries.holds(name, one.site.country, scene.day) for name in lists)


def _has_headquarters(scene: Scene, bound: ShareLimit, members: list[Owned]) -> bool:
    countries = scene.tables.countries
    return not bound.headquarters or any(
        countries.holds(name, one.site.ultimate_parent.headquarters, scene.day)
        for name in bound.headquarters
        for one in members
    )


def _pieces_of(scene: Scene, bound: ShareLimit, part: list[Owned]) -> dict[str, list[Owned]]:
    treated = scene.tables.countries.treated_as
    found: dict[str, list[Owned]] = defaultdict(list)
    for one in part:
        country = treated.get(one.site.country, one.site.country)
        found[country if bound.each == "country" else one.sku.sku].append(one)
    return found


def _share(
    limit: Limit,
    bound: ShareLimit,
    chips: list[Owned],
    whole: list[Owned],
    *,
    of: str,
    part: str,
) -> LimitUse:
    total = sum(one.pieces * one.sku.tpp for one in whole)
    return _use(
        limit,
        {one.site.id for one in chips if one.pieces},
        of=of,
        part=part,
        unit="tpp",
        used=sum(one.pieces * one.sku.tpp for one in chips),
        most=total * bound.ppm // PPM,
        total=total,
    )


def _attributes(limit: Limit, bound: AttributeLimit, scene: Scene) -> Iterator[LimitUse]:
    """Yield each number of each model that is held, against its bound, which is left out."""
    held = dict[tuple[str, str], tuple[Sku, set[str], int]]()
    for one in owned(limit, scene):
        if one.pieces:
            _, sites, pieces = held.get((one.subject, one.sku.sku), (one.sku, set(), 0))
            held[one.subject, one.sku.sku] = (one.sku, sites | {one.site.id}, pieces + one.pieces)
    for (subject, name), (sku, sites, pieces) in sorted(held.items(), key=lambda entry: entry[0]):
        for attribute, below in sorted(bound.below.items()):
            value = getattr(sku, attribute)
            yield _use(
                limit,
                sites,
                of=subject,
                part=name,
                unit=attribute,
                used=value,
                most=below - 1,
                over_tpp=pieces * sku.tpp if value is not None and value >= below else 0,
            )


def _use(
    limit: Limit,
    sites: Iterable[str],
    *,
    of: str,
    part: str,
    unit: str,
    used: int | None,
    most: int | None,
    total: int | None = None,
    over_tpp: int | None = None,
    uncounted: tuple[str, ...] = (),
) -> LimitUse:
    over = 0 if used is None or most is None else max(0, used - most)
    return LimitUse(
        limit=limit.limit,
        effect=limit.effect,
        subject=limit.subject,
        of=of,
        part=part,
        unit=unit,
        used=used,
        total=total,
        most=most,
        left=None if used is None or most is None else most - used,
        over_tpp=over if over_tpp is None else over_tpp,
        verdict=_verdict(limit, used, most, whole=not uncounted),
        sees=limit.sees,
        sites=tuple(sorted(sites)),
        uncounted=uncounted,
        owed_by=limit.owed_by,
        source=limit.source,
    )


def _verdict(
    limit: Limit, used: int | None, most: int | None, *, whole: bool = True
) -> LimitVerdict:
    """Return what follows; more than the ledger holds can only add to an amount."""
    if most is None:
        return LimitVerdict.NO_LIMIT
    if used is None:
        return LimitVerdict.UNDETERMINED
    own = limit.sees == "own" or not whole
    if own and isinstance(limit.bound, ShareLimit):
        return LimitVerdict.UNDETERMINED
    if limit.effect in _DUTIES:
        met = used >= most
        less = LimitVerdict.UNDETERMINED if own else LimitVerdict.NOT_DUE
        return LimitVerdict.DUE if met else less
    less = LimitVerdict.UNDETERMINED if own else LimitVerdict.WITHIN
    return LimitVerdict.EXCEEDED if used > most else less


def current(use: LimitUse, limit: Limit, scene: Scene) -> bool:
    """Tell whether a use speaks of the present: of the window that holds the day, or of now."""
    flows = ("calendar-year", "calendar-quarter", "whole")
    return limit.window not in flows or use.part in current_labels(scene.day)
