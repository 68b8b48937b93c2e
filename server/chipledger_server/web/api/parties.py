"""Keys that parties sign with: `/api/v1/party-keys`."""

from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from chipledger_book.terms import Millis, PartyName
from chipledger_evidence.ids import Digest, SiteName
from chipledger_evidence.keys import Jwk
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.party_keys import (
    PartyKey,
    WantedKey,
    approve_key,
    decline_key,
    propose_key,
    revoke_key_of_party,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.parties import party_key_view
from chipledger_server.usecases.views import PartyKeysPage, PartyKeyView
from chipledger_server.web.api.asking import ApiRequest, problems
from chipledger_server.web.context import Parts

T = TypeVar("T")
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_MOST_BYTES: Final = 64 * 1024


class NewPartyKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key of a party, to be let in by a second person.

    Attributes:
        jwk: the public key.
        party: party id.
        reason: why; stands in the log for ever.
        name: what people call the party.
        roles: as what it signs.
        sites: of which sites it speaks.
        everywhere: of every site, and of what belongs to none.
        valid_from_ms: from when; now.
        valid_to_ms: until when; for ever.
        replaces: thumbprint of the party's key that ends when this one is let in.
    """

    jwk: Jwk
    party: PartyName
    reason: Words
    name: Words | None = None
    roles: tuple[str, ...] = ()
    sites: tuple[SiteName, ...] = ()
    everywhere: bool = False
    valid_from_ms: Millis | None = None
    valid_to_ms: Millis | None = None
    replaces: Digest | None = None


class Because(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why something is done; it stands in the log for ever."""

    reason: Words


_ACT: Final = problems(400, 401, 403, 404, 409)


@get("/party-keys", sync_to_thread=True, responses=problems(401))
def party_keys(request: ApiRequest, parts: NamedDependency[Parts]) -> PartyKeysPage:
    """Return the keys of parties, the newest first; to an operator those of its sites."""
    found = parts.party_keys.registered()
    return PartyKeysPage(
        items=tuple(_view(parts, key) for key in found if _sees(request.user, key))
    )


@post(
    "/party-keys",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_MOST_BYTES,
    responses=_ACT,
)
def propose(request: ApiRequest, parts: NamedDependency[Parts], body: RawBody) -> PartyKeyView:
    """Propose a key of a party, as an administrator; another person lets it in."""
    new = _read(body, NewPartyKey)
    wanted = WantedKey(
        jwk=new.jwk,
        party=new.party,
        reason=new.reason,
        name=new.name,
        roles=new.roles,
        sites=new.sites or None,
        everywhere=new.everywhere,
        valid_from_ms=new.valid_from_ms,
        valid_to_ms=new.valid_to_ms,
        replaces=new.replaces,
    )
    hand, ttl_s = parts.hand(request.user), parts.proposal_ttl_s
    return _view(parts, propose_key(wanted, parts.party_keys, hand, request.user, ttl_s=ttl_s))


@post(
    "/party-keys/{proposal:str}/approval",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    responses=_ACT,
)
def approve(
    request: ApiRequest, parts: NamedDependency[Parts], proposal: FromPath[str]
) -> PartyKeyView:
    """Let a proposed key in, as an administrator or auditor who did not propose it."""
    hand, ttl_s = parts.hand(request.user), parts.proposal_ttl_s
    return _view(parts, approve_key(proposal, parts.party_keys, hand, request.user, ttl_s=ttl_s))


@post(
    "/party-keys/{proposal:str}/refusal",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_MOST_BYTES,
    responses=_ACT,
)
def decline(
    request: ApiRequest, parts: NamedDependency[Parts], proposal: FromPath[str], body: RawBody
) -> PartyKeyView:
    """End a proposal without letting the key in."""
    reason = _read(body, Because).reason
    hand, ttl_s = parts.hand(request.user), parts.proposal_ttl_s
    done = decline_key(proposal, parts.party_keys, hand, request.user, ttl_s=ttl_s, reason=reason)
    return _view(parts, done)


@post(
    "/party-keys/{kid:str}/revocation",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_MOST_BYTES,
    responses=_ACT,
)
def revoke(
    request: ApiRequest, parts: NamedDependency[Parts], kid: FromPath[str], body: RawBody
) -> PartyKeyView:
    """Accept nothing more of a key, by its thumbprint, whenever it was signed."""
    reason = _read(body, Because).reason
    hand = parts.hand(request.user)
    done = revoke_key_of_party(kid, parts.party_keys, hand, request.user, reason=reason)
    return _view(parts, done)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, str(error), hint="send JSON of the documented form"
        ) from error


def _sees(reader: Principal, key: PartyKey) -> bool:
    if reader.sites is None or key.sites is None:
        return True
    return not reader.sites.isdisjoint(key.sites)


def _view(parts: Parts, key: PartyKey) -> PartyKeyView:
    return party_key_view(key, parts.now_ms(), ttl_s=parts.proposal_ttl_s)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (party_keys, propose, approve, decline, revoke)
"""Routes of this module."""
