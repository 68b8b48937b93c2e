"""Coming in and going out: the login page, tickets, and the session they open."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.status_codes import HTTP_303_SEE_OTHER

from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.web.auth import SESSION_COOKIE, SESSION_S
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages
from chipledger_server.web.screens.asking import Form, html, own_form


def login_address(path: str, query: str) -> str:
    """Return the address of the login page that leads back to where somebody wanted to go."""
    back = path + (f"?{query}" if query else "")
    return "/login" if back == "/" else f"/login?next={quote(back, safe='')}"


def safe_path(text: str | None) -> str:
    """Return an address on this server, whatever was asked for: never one elsewhere."""
    own = text is not None and text.startswith("/") and text[1:2] not in {"/", "\\"}
    plain = text is not None and text.isascii() and text.isprintable() and "\\" not in text
    return text if own and plain and text is not None else "/"


@get("/login", public=True, sync_to_thread=False, include_in_schema=False)
def login_page(
    pages: NamedDependency[Pages], back: Annotated[str | None, QueryParameter(name="next")] = None
) -> Response[str]:
    """Show the form that takes a token."""
    page = pages.render("login.html", reader=None, travel=None, back=safe_path(back), refused=None)
    return html(page)


@post("/login", public=True, sync_to_thread=True, include_in_schema=False, before_request=own_form)
def log_in(
    request: Request[Any, Any, State],
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    data: Form,
) -> Response[Any]:
    """Open a session for the principal of a pasted token."""
    back = safe_path(data.get("next"))
    now_ms = parts.now_ms()
    try:
        principal = parts.gate.by_token(data.get("token", ""), now_ms=now_ms)
    except Refusal as refused:
        page = pages.render("login.html", reader=None, travel=None, back=back, refused=refused)
        return Response(content=page, media_type=MediaType.HTML, status_code=401)
    return _session(request, parts, principal, back)


@get("/enter/{ticket:str}", public=True, sync_to_thread=True, include_in_schema=False)
def enter_page(
    parts: NamedDependency[Parts], pages: NamedDependency[Pages], ticket: FromPath[str]
) -> Response[str]:
    """Show whom a link lets in; entering takes a click, so that no prefetch opens a session."""
    principal = parts.gate.redeem(ticket, use="link", now_ms=parts.now_ms())
    page = pages.render("enter.html", reader=None, travel=None, ticket=ticket, who=principal)
    return html(page)


# At an address of its own: the framework wraps a threaded handler twice that shares its path.
@post("/enter", public=True, sync_to_thread=True, include_in_schema=False, before_request=own_form)
def enter(
    request: Request[Any, Any, State], parts: NamedDependency[Parts], data: Form
) -> Response[Any]:
    """Open a session for the principal of a link."""
    principal = parts.gate.redeem(data.get("ticket"), use="link", now_ms=parts.now_ms())
    return _session(request, parts, principal, "/")


@post(
    "/logout", public=True, sync_to_thread=False, include_in_schema=False, before_request=own_form
)
def log_out() -> Response[Any]:
    """End the session in this browser."""
    answer: Response[Any] = Response(
        content=b"", status_code=HTTP_303_SEE_OTHER, headers={"location": "/login"}
    )
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


def _session(
    request: Request[Any, Any, State], parts: Parts, principal: Principal, back: str
) -> Response[Any]:
    """Return the answer that opens a session and leads on."""
    session = parts.gate.issue(
        principal.id, use="session", now_ms=parts.now_ms(), lasts_s=SESSION_S
    )
    cookie = Cookie(
        key=SESSION_COOKIE,
        value=session,
        path="/",
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Response(
        content=b"", status_code=HTTP_303_SEE_OTHER, headers={"location": back}, cookies=[cookie]
    )


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (login_page, log_in, log_out, enter_page, enter)
"""Routes of this module."""
