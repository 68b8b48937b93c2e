"""Balances brought together, and what stands behind each number."""

from typing import Annotated, Any, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.drill import (
    BehindView,
    RollUps,
    behind_number,
    roll_ups,
)
from chipledger_server.web.api.asking import LIST, SITE, ApiRequest, Under
from chipledger_server.web.context import Parts

By = Annotated[str, QueryParameter(description="`parent`, `operator`, `consignee` or `country`.")]
Model = Annotated[str, QueryParameter(name="sku", description="Row: a model of the balance.")]
Column = Annotated[str, QueryParameter(description="Column: a member of the row, or a grade.")]


@get("/rollups", sync_to_thread=True, responses=LIST)
def rollups(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    times: NamedDependency[When],
    *,
    by: By = "parent",
    under: Under = None,
) -> RollUps:
    """Return the balances of all sites you may see, brought together; nothing is netted."""
    with parts.look(request.user, times, rules=under) as look:
        return roll_ups(look, by)


@get("/sites/{site_id:str}/balance/behind", sync_to_thread=True, responses=SITE)
def behind(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
    *,
    model: Model,
    column: Column,
) -> BehindView:
    """Return the events and chips that stand behind one number of a balance."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times) as look:
        return behind_number(look, site_id, sku=model, column=column)


ROUTES: Final[tuple[Any, ...]] = (rollups, behind)
"""Routes of this module."""
STRUCTS: Final = (RollUps, BehindView)
"""What they answer with."""
