"""The OpenAPI document: paths from the framework, component schemas from msgspec.

The framework drops what strict structs promise (no further members, bounds inside optional
members); msgspec writes exactly what it enforces. So its schemas replace the framework's, and a
test holds that both name the same components.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from chipledger_evidence.answers import Problem
from chipledger_evidence.keys import Jwk
from chipledger_server.usecases import case_views, views
from chipledger_server.usecases.book.entering import Imported
from chipledger_server.usecases.book.reconcile import SiteBalance
from chipledger_server.usecases.periods.showing import DuePage, PeriodDetail, PeriodsPage
from chipledger_server.usecases.showing import sites
from chipledger_server.usecases.showing.waits import WaitsPage
from chipledger_server.web.api import closing, drill, rules, samples
from chipledger_server.web.api.cases import StepAsked
from chipledger_server.web.api.entering import EntryAnswer, EntryRefused
from chipledger_server.web.api.imports import ImportRefused
from chipledger_server.web.context import Parts

REF: Final = "#/components/schemas/{name}"

ANSWERS: Final[tuple[Any, ...]] = (
    views.Me,
    views.HostsPage,
    views.HostDetail,
    views.ChainPage,
    views.ChipsPage,
    views.ChipDetail,
    views.DevicesPage,
    case_views.FindingsPage,
    case_views.FindingView,
    case_views.TrailPage,
    StepAsked,
    views.EventsPage,
    views.EventView,
    views.EventDetail,
    views.PartyKeysPage,
    views.PartyKeyView,
    EntryAnswer,
    EntryRefused,
    views.LogPage,
    views.LogEntry,
    *rules.STRUCTS,
    *drill.STRUCTS,
    *samples.STRUCTS,
    *closing.STRUCTS,
    sites.SitesPage,
    sites.SiteDetail,
    PeriodsPage,
    PeriodDetail,
    DuePage,
    SiteBalance,
    Imported,
    WaitsPage,
    ImportRefused,
    Jwk,
    Problem,
)
"""Every struct that a route answers with."""


def components() -> dict[str, Any]:
    """Return the schemas of everything that is answered, as msgspec enforces them."""
    _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=REF)
    return schemas


def framework_document(api: Router, parts: Parts) -> dict[str, Any]:
    """Return what the framework says of the API; from an application that nobody serves."""
    config = OpenAPIConfig(
        title="Chipledger",
        version="1",
        description=(
            "Which controlled chips are where, how that is known, and whether it matches what "
            "was licensed and delivered. Times are Unix milliseconds, UTC."
        ),
    )
    unserved = Litestar(
        route_handlers=[api],
        dependencies={"parts": Provide(lambda: parts, sync_to_thread=False)},
        openapi_config=config,
        logging_config=None,
    )
    return unserved.openapi_schema.to_schema()


def query_parameters(whole: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the query parameters that each path of a document takes."""
    return {
        path: frozenset(
            parameter["name"]
            for asked in item.values()
            for parameter in asked.get("parameters", ())
            if parameter["in"] == "query"
        )
        for path, item in whole["paths"].items()
    }


def document(whole: dict[str, Any]) -> bytes:
    """Return the OpenAPI 3.1 document of the API, made of what the framework says of it."""
    whole["components"] = {
        "schemas": components(),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    whole["security"] = [{"token": []}]
    return msgspec.json.encode(whole, order="deterministic")
