"""Who is asking: a bearer token for the API, a signed session cookie for the screens.

A session cookie names a principal and an end, under a MAC that also covers the hash of the
principal's present token. So it needs no table, holds no token, ends with the token, and every
collector on the same key accepts it. A form is accepted only from our own pages: the cookie is
SameSite=Strict, and the browser itself must say that the form comes from this origin.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal

from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.errors import EvidenceError
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.people import PeopleStore, authenticate
from chipledger_server.usecases.refusals import Code, Refusal

SESSION_COOKIE: Final = "chipledger_session"
SESSION_S: Final = 8 * 3600
LINK_S: Final = 24 * 3600
_PARTS: Final = 3
_BEARER: Final = "bearer "
_LABEL: Final = b"chipledger/session/1"

Use = Literal["session", "link"]


def session_key(nonce_key: bytes) -> bytes:
    """Return the key of sessions, derived so that it serves nothing else."""
    return hmac.digest(nonce_key, _LABEL, "sha256")


class Gate:
    """Finds the principal behind a request."""

    def __init__(self, people: PeopleStore, key: bytes) -> None:
        self._people = people
        self._key = key

    def by_bearer(self, header: str | None, *, now_ms: int) -> Principal:
        """Return the principal of an ``Authorization`` header.

        Raises:
            Refusal: `unauthenticated`.
        """
        if header is None or not header.lower().startswith(_BEARER):
            raise Refusal(
                Code.UNAUTHENTICATED,
                "no bearer token was sent",
                hint="send the header: Authorization: Bearer clp_...",
            )
        return authenticate(header[len(_BEARER) :].strip(), self._people, now_ms=now_ms)

    def by_token(self, token: str, *, now_ms: int) -> Principal:
        """Return the principal of a token that somebody pasted.

        Raises:
            Refusal: `unauthenticated`.
        """
        return authenticate(token.strip(), self._people, now_ms=now_ms)

    def issue(self, principal: str, *, use: Use, now_ms: int, lasts_s: int) -> str:
        """Return a signed text that stands for a principal until it ends.

        Raises:
            Refusal: `unauthenticated`, where there is no such principal.
        """
        found = self._people.by_id(principal)
        if found is None:
            raise _ended()
        ends_s = now_ms // 1000 + lasts_s
        mac = self._mac(use, principal, ends_s, found[1])
        return f"{principal}.{ends_s}.{b64url_encode(mac)}"

    def redeem(self, text: str | None, *, use: Use, now_ms: int) -> Principal:
        """Return the principal a signed text stands for.

        Raises:
            Refusal: `unauthenticated`: forged, ended, or of a token that was since replaced.
        """
        parts = (text or "").split(".")
        if len(parts) != _PARTS or not parts[1].isdecimal() or len(parts[1]) > _MOST_DIGITS:
            raise _ended()
        found = self._people.by_id(parts[0])
        if found is None:
            raise _ended()
        principal, token_hash = found
        try:
            mac = b64url_decode(parts[2])
        except EvidenceError as error:
            raise _ended() from error
        good = hmac.compare_digest(mac, self._mac(use, parts[0], int(parts[1]), token_hash))
        if not good or int(parts[1]) * 1000 <= now_ms or not principal.active(now_ms):
            raise _ended()
        return principal

    def _mac(self, use: Use, principal: str, ends_s: int, token_hash: bytes) -> bytes:
        said = b"\x00".join((use.encode(), principal.encode(), b"%d" % ends_s, token_hash))
        return hmac.digest(self._key, said, hashlib.sha256)


_MOST_DIGITS: Final = 15


def demand_own_form(headers: Mapping[str, str]) -> None:
    """Do nothing if a form was sent from a page of this very origin.

    Browsers say so in ``Sec-Fetch-Site``, older ones in ``Origin``. A request that says neither
    is refused.

    Raises:
        Refusal: `forged-form`.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    host = headers.get("host")
    if site is not None:
        own = site == "same-origin"
    else:
        own = origin is not None and host is not None and origin.split("://", 1)[-1] == host
    if not own:
        raise Refusal(
            Code.FORGED_FORM,
            "the form was not sent from a page of this collector",
            hint="open the page here and send the form again",
        )


def _ended() -> Refusal:
    return Refusal(
        Code.UNAUTHENTICATED, "you are not logged in, or your session has ended", hint="log in"
    )
