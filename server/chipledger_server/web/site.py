"""The Litestar application of screens and API: routes, who may enter, headers, errors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

import structlog
from litestar import Litestar, Request, Response, Router, get
from litestar.concurrency import sync_to_thread
from litestar.datastructures import MutableScopeHeaders, State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.middleware import DefineMiddleware
from litestar.params import FromPath
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from chipledger_book.reports.writing import STYLE_SOURCE
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.web.api import (
    cases,
    closing,
    drill,
    entering,
    fleet,
    imports,
    parties,
    periods,
    record,
    results,
    rules,
    samples,
    sites,
    waits,
)
from chipledger_server.web.api.asking import provide_paging, provide_times, refuse_unknown
from chipledger_server.web.auth import SESSION_COOKIE
from chipledger_server.web.context import Parts
from chipledger_server.web.openapi import document, framework_document, query_parameters
from chipledger_server.web.problems import MEDIA_TYPE, problem_of
from chipledger_server.web.rendering import Pages, environment
from chipledger_server.web.screens import SCREENS
from chipledger_server.web.screens.asking import provide_travel
from chipledger_server.web.screens.session import login_address

API: Final = "/api/v1"
_LOG: Final = structlog.get_logger("chipledger.site")
_TYPES: Final = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
_CSP: Final = (
    f"default-src 'none'; style-src 'self' {STYLE_SOURCE}; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": _CSP,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer carries; no page needs a script, a frame or anything from elsewhere."""


@dataclass(frozen=True, slots=True)
class _Static:
    """A file that ships with the pages."""

    body: bytes
    media_type: str
    digest: str


class Doorkeeper:
    """Finds the principal of every request, unless its route says that it is public."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through with its principal, or refuse it."""
        if scope["type"] == ScopeType.HTTP and not scope["route_handler"].opt.get("public"):
            scope["user"] = await sync_to_thread(self._principal, Request(scope))
        await self._app(scope, receive, send)

    def _principal(self, request: Request[Any, Any, State]) -> Principal:
        """Return the principal, by bearer token for the API and by session for the screens."""
        gate, now_ms = self._parts.gate, self._parts.now_ms()
        if request.url.path.startswith(API):
            return gate.by_bearer(request.headers.get("authorization"), now_ms=now_ms)
        return gate.redeem(request.cookies.get(SESSION_COOKIE), use="session", now_ms=now_ms)


def build_app(parts: Parts) -> Litestar:
    """Return the application behind the agents' doors: screens at ``/``, API at ``/api/v1``."""
    static = _static_files()
    addresses = {name: f"/static/{name}?v={file.digest}" for name, file in static.items()}
    api = api_router()
    pages = Pages(environment(addresses), collector=parts.name)
    whole = framework_document(api, parts)
    return Litestar(
        route_handlers=[api, *SCREENS, _static_route(static), _api_document],
        dependencies={
            "parts": Provide(lambda: parts, sync_to_thread=False),
            "pages": Provide(lambda: pages, sync_to_thread=False),
            "travel": Provide(provide_travel, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(Doorkeeper, parts=parts)],
        exception_handlers={Exception: _failed, HTTPStatus.INTERNAL_SERVER_ERROR: _failed},
        before_send=[_harden],
        logging_config=None,  # the process decides how it logs
        openapi_config=None,  # it would serve pages of its own, which load from elsewhere
        state=State(
            {"pages": pages, "parameters": query_parameters(whole), "document": document(whole)}
        ),
    )


def api_router() -> Router:
    """Return the routes of the API."""
    return Router(
        path=API,
        before_request=refuse_unknown,
        route_handlers=[
            *(record.me, record.events, record.event),
            *(cases.findings, cases.finding, cases.trail, cases.actions),
            *(cases.export_json, cases.export_csv),
            *(record.log, record.log_entry, *rules.ROUTES),
            *(sites.sites, sites.site, sites.balance, sites.site_hosts, sites.site_devices),
            *(fleet.hosts, fleet.host, fleet.host_chain, fleet.chips, fleet.chip),
            *(results.host_result, results.result_key),
            *(periods.periods, periods.period, periods.document, periods.report, periods.due),
            *closing.ROUTES,
            imports.imports,
            *entering.ROUTES,
            *parties.ROUTES,
            *waits.ROUTES,
            *drill.ROUTES,
            *samples.ROUTES,
        ],
        dependencies={
            "page": Provide(provide_paging, sync_to_thread=False),
            "times": Provide(provide_times, sync_to_thread=False),
            "filters": Provide(cases.provide_filters, sync_to_thread=False),
        },
    )


@get("/api/v1/openapi.json", public=True, sync_to_thread=False, include_in_schema=False)
def _api_document(state: State) -> Response[bytes]:
    """Return the OpenAPI document; it holds no data, so everybody may read it."""
    return Response(content=state.document, media_type="application/json")


def _static_files() -> dict[str, _Static]:
    """Return the shipped files, read once."""
    folder = files("chipledger_server.web") / "static"
    found = {}
    for item in folder.iterdir():
        kind = _TYPES.get(item.name.rsplit(".", 1)[-1])
        if kind is not None:
            body = item.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:16]
            found[item.name] = _Static(body=body, media_type=kind, digest=digest)
    return found


def _static_route(static: Mapping[str, _Static]) -> Any:  # noqa: ANN401 - Litestar's handler
    @get("/static/{name:str}", public=True, sync_to_thread=False, include_in_schema=False)
    def static_file(name: FromPath[str]) -> Response[bytes]:
        file = static.get(name)
        if file is None:
            raise Refusal(Code.NOT_FOUND, f"there is no file {name}")
        return Response(
            content=file.body,
            media_type=file.media_type,
            headers={"cache-control": "public, max-age=86400"},
        )

    return static_file


async def _harden(message: Message, scope: Scope) -> None:
    """Give every answer its headers; what is not a shipped file is never stored."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in HEADERS.items():
        headers[name] = value
    if not scope["path"].startswith("/static/"):
        headers["cache-control"] = "no-store"


def _failed(request: Request[Any, Any, State], error: Exception) -> Response[Any]:
    """Return the problem document for the API, the page that says the same for the screens."""
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("request-failed", path=request.url.path, exc_info=error)
    if request.url.path.startswith("/api/"):
        headers = (
            {"www-authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else {}
        )
        return Response(
            content=problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
        )
    if problem.status == HTTPStatus.UNAUTHORIZED and request.method == "GET":
        address = login_address(request.url.path, request.url.query)
        return Response(
            content=b"", status_code=HTTPStatus.SEE_OTHER, headers={"location": address}
        )
    reader = request.scope.get("user")
    page = request.app.state.pages.render("error.html", reader=reader, travel=None, problem=problem)
    return Response(content=page, status_code=problem.status, media_type="text/html")
