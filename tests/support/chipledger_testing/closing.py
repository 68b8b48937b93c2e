"""A site whose periods are closed: who freezes, who signs, and the desk they do it at."""

from datetime import date
from typing import Final

from chipledger_book.periods.course import Frozen
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.periods import SqlPeriods
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.periods.closing import Freezing, freeze, sign_off
from chipledger_server.usecases.periods.showing import (
    PeriodDetail,
    PeriodView,
    one_period,
    periods_of,
    shelf_of,
)
from chipledger_server.usecases.periods.store import PeriodDesk
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing import Look
from chipledger_testing.scene import Scene

QUARTER: Final = (date(2026, 1, 1), date(2026, 3, 31))
NAME: Final = "2026-01-01..2026-03-31"


def person(name: str, role: Role, *sites: str) -> Principal:
    """Return a principal."""
    return Principal(
        id=f"p-{name}", name=name, role=role, sites=frozenset(sites) or None, created_ms=0
    )


OLGA: Final = person("olga", Role.OPERATOR, "johor")
AUDA: Final = person("auda", Role.AUDITOR)
ADMIN: Final = person("root", Role.ADMINISTRATOR)


def desk(scene: Scene) -> PeriodDesk:
    """Return the desk at which periods of a scene are closed."""
    return PeriodDesk(
        store=SqlPeriods(scene.engine),
        reads=scene.reads,
        ledger=SqlLedger(scene.engine),
        measures=lambda _: scene.measure,
        code="chipledger test",
    )


def hand(scene: Scene, who: Principal) -> Hand:
    """Return the hand of a principal that acts now; time goes on by a second."""
    scene.now_ms += 1000
    return Hand(principal=who.name, now_ms=scene.now_ms, entropy=scene.entropy)


def freezes(
    scene: Scene,
    who: Principal = OLGA,
    *,
    days: tuple[date, date] = QUARTER,
    site: str = "johor",
    gap: str = "",
    reason: str | None = None,
) -> Frozen:
    """Freeze a period, now."""
    ask = Freezing(site=site, first_day=days[0], last_day=days[1], gap_reason=gap, reason=reason)
    return freeze(ask, desk(scene), hand(scene, who), who)


def signs(scene: Scene, digest: str, who: Principal, *, site: str = "johor") -> None:
    """Sign a document off, now."""
    sign_off(site, digest, desk(scene), hand(scene, who), who=who)


def closes(scene: Scene, **asked: object) -> Frozen:
    """Freeze a period and have both sign it."""
    made = freezes(scene, **asked)  # type: ignore[arg-type]
    signs(scene, made.digest, OLGA)
    signs(scene, made.digest, AUDA)
    return made


def period(scene: Scene, *, site: str = "johor") -> PeriodView:
    """Return the newest period of a site, as a reader is shown it."""
    return listed(scene, site=site)[0]


def listed(scene: Scene, *, site: str = "johor") -> tuple[PeriodView, ...]:
    """Return the periods of a site, newest first."""
    with scene.reads.snapshot() as snapshot:
        look = _look(scene, snapshot)
        return periods_of(shelf_of(look, site, desk(scene)), site, now_ms=scene.now_ms).items


def detail(scene: Scene, name: str = NAME, *, site: str = "johor") -> PeriodDetail:
    """Return one period with what its newest document says."""
    with scene.reads.snapshot() as snapshot:
        return one_period(shelf_of(_look(scene, snapshot), site, desk(scene)), name)


def _look(scene: Scene, snapshot: object) -> Look:
    when = When(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms)
    return Look(snapshot=snapshot, scope=None, when=when, measure=scene.measure)  # type: ignore[arg-type]
