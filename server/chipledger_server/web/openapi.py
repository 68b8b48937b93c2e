"""The OpenAPI document: paths from the framework, component schemas from msgspec.

The framework drops what strict structs promise (no further members, bounds inside optional
members); msgspec writes exactly what it enforces. So its schemas replace the framework's, and a
test holds that both name the same components.
"""

from typing import Any, Final

import msgspec
from litestar import Litestar

from chipledger_evidence.answers import Problem
from chipledger_server.usecases import views
from chipledger_server.usecases.reconcile import SiteBalance
from chipledger_server.usecases.showing import sites

REF: Final = "#/components/schemas/{name}"

ANSWERS: Final[tuple[Any, ...]] = (
    views.Me,
    views.HostsPage,
    views.HostDetail,
    views.ChainPage,
    views.ChipsPage,
    views.ChipDetail,
    views.DevicesPage,
    views.FindingsPage,
    views.FindingView,
    views.EventsPage,
    views.EventView,
    views.LogPage,
    views.LogEntry,
    views.RulesPage,
    sites.SitesPage,
    sites.SiteDetail,
    SiteBalance,
    Problem,
)
"""Every struct that a route answers with."""


def components() -> dict[str, Any]:
    """Return the schemas of everything that is answered, as msgspec enforces them."""
    _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=REF)
    return schemas


def document(app: Litestar) -> bytes:
    """Return the OpenAPI 3.1 document of an application."""
    whole = app.openapi_schema.to_schema()
    whole["components"] = {
        "schemas": components(),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    whole["security"] = [{"token": []}]
    return msgspec.json.encode(whole, order="deterministic")
