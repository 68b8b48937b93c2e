"""Keys of parties: who may sign as what, what waits for a second person, and what ended."""

from http import HTTPStatus
from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.party_keys import (
    PartyKey,
    approve_key,
    decline_key,
    revoke_key_of_party,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.parties import party_key_view
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import Form, ScreenRequest, html, own_form


@get("/parties", sync_to_thread=True, include_in_schema=False)
def parties(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
) -> Response[str]:
    """Show the keys of parties of now; to an operator those of its sites."""
    found = [
        party_key_view(key, parts.now_ms(), ttl_s=parts.proposal_ttl_s)
        for key in parts.party_keys.registered()
        if sees(request.user, key)
    ]
    page = pages.render(
        "parties.html",
        reader=request.user,
        travel=travel,
        waiting=[key for key in found if key.state == "waits"],
        keys=[key for key in found if key.approved],
        ended=[key for key in found if not key.approved and key.state != "waits"],
        decides=request.user.role is not Role.OPERATOR,
    )
    return html(page)


def sees(reader: Principal, key: PartyKey) -> bool:
    """Tell whether a reader is shown a key: one that speaks of a site of its own."""
    if reader.sites is None or key.sites is None:
        return True
    return not reader.sites.isdisjoint(key.sites)


@post(
    "/parties/proposals/{proposal:str}",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def decide(
    request: ScreenRequest, parts: NamedDependency[Parts], proposal: FromPath[str], data: Form
) -> Response[Any]:
    """Let a proposed key in, or decline it."""
    hand, ttl_s = parts.hand(request.user), parts.proposal_ttl_s
    decision, reason = data.get("decision"), data.get("reason", "")
    if decision == "approve":
        approve_key(proposal, parts.party_keys, hand, request.user, ttl_s=ttl_s)
    elif decision == "decline":
        decline_key(proposal, parts.party_keys, hand, request.user, ttl_s=ttl_s, reason=reason)
    else:
        raise Refusal(Code.INVALID_PARAMETER, "nothing was decided", hint="approve or decline")
    return _back()


@post(
    "/parties/keys/{kid:str}/revocation",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def revoke(
    request: ScreenRequest, parts: NamedDependency[Parts], kid: FromPath[str], data: Form
) -> Response[Any]:
    """Accept nothing more of a key."""
    hand = parts.hand(request.user)
    reason = data.get("reason", "")
    revoke_key_of_party(kid, parts.party_keys, hand, request.user, reason=reason)
    return _back()


def _back() -> Response[Any]:
    return Response(content=b"", status_code=HTTPStatus.SEE_OTHER, headers={"location": "/parties"})


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (parties, decide, revoke)
"""Routes of this module."""
