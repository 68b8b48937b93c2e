"""Closing a period over the API: freeze it, restate it, sign it off; the rights are the forms'."""

from datetime import date
from typing import Annotated, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from chipledger_evidence.ids import Digest
from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.periods.closing import (
    MAX_REASON,
    Freezing,
    freeze,
    sign_off,
    unknown_period,
)
from chipledger_server.usecases.periods.showing import (
    PeriodDetail,
    one_period,
    parse_period,
    period_name,
    shelf_of,
)
from chipledger_server.usecases.reading import When
from chipledger_server.web.api.asking import ApiRequest, problems
from chipledger_server.web.context import Parts

CHANGE: Final = problems(400, 401, 403, 404, 409, 413)
Why = Annotated[str, msgspec.Meta(max_length=MAX_REASON)]


class FreezeAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which days of a site are frozen.

    Attributes:
        first_day: first day, UTC.
        last_day: last day, inclusive.
        gap_reason: why days since the period before belong to none.
        reason: why a closed period is restated; without one, nothing closed is.
    """

    first_day: date
    last_day: date
    gap_reason: Why = ""
    reason: Why | None = None


class SignOffAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document that was read and is signed off."""

    digest: Digest


@post("/sites/{site_id:str}/periods", sync_to_thread=True, responses=CHANGE)
def freeze_period(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    data: JSONBody[FreezeAsked],
) -> PeriodDetail:
    """Freeze a period, freeze it again, or restate it; an entry by an account, in the log."""
    ask = Freezing(
        site=site_id,
        first_day=data.first_day,
        last_day=data.last_day,
        gap_reason=data.gap_reason.strip(),
        reason=data.reason,
    )
    freeze(ask, parts.periods, parts.hand(request.user), request.user)
    return _shown(request, parts, site_id, period_name(data.first_day, data.last_day))


@post("/sites/{site_id:str}/periods/{period:str}/sign-off", sync_to_thread=True, responses=CHANGE)
def sign_off_period(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    *,
    site_id: FromPath[str],
    period: FromPath[str],
    data: JSONBody[SignOffAsked],
) -> PeriodDetail:
    """Sign a period off as what you are, operator or auditor: an entry, and never called signed."""
    demand_site(request.user, site_id)
    days = parse_period(period)
    frozen = parts.periods.store.frozen(site_id)
    if not any(one.digest == data.digest and one.days == days for one in frozen):
        raise unknown_period(f"{period} with the digest {data.digest}")
    hand = parts.hand(request.user)
    sign_off(site_id, data.digest, parts.periods, hand, who=request.user)
    return _shown(request, parts, site_id, period)


def _shown(request: ApiRequest, parts: Parts, site: str, period: str) -> PeriodDetail:
    now_ms = parts.now_ms()
    with parts.look(request.user, When(as_of_ms=now_ms, known_at_ms=now_ms)) as look:
        return one_period(shelf_of(look, site, parts.periods), period)


ROUTES: Final = (freeze_period, sign_off_period)
"""Routes of this module."""
STRUCTS: Final = (FreezeAsked, SignOffAsked)
"""Structs that these routes take."""
