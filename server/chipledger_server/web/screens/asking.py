"""What every page is asked with, and how a page is answered."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from litestar.params import Body, QueryParameter

from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.times import when
from chipledger_server.web.auth import demand_own_form
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Travel

ScreenRequest = Request[Principal, Any, State]
AsOf = Annotated[str | None, QueryParameter(name="as_of")]
KnownAt = Annotated[str | None, QueryParameter(name="known_at")]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


def provide_travel(
    parts: NamedDependency[Parts], as_of: AsOf = None, known_at: KnownAt = None
) -> Travel:
    """Return the times a page is asked for.

    Raises:
        Refusal: `invalid-parameter`.
    """
    now_ms = parts.now_ms()
    return Travel(
        as_of=as_of or "",
        known_at=known_at or "",
        when=when(as_of, known_at, now_ms=now_ms),
        now_ms=now_ms,
    )


def own_form(request: Request[Any, Any, State]) -> None:
    """Do nothing if a form is ours; a route asks before the body is read.

    Raises:
        Refusal: `forged-form`.
    """
    demand_own_form(request.headers)


def html(page: str) -> Response[str]:
    """Return a page."""
    return Response(content=page, media_type=MediaType.HTML)
