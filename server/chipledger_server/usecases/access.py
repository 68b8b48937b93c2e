"""Who may see what: principals, roles and scopes. Pure decisions.

An auditor and an administrator read everything of every site; nobody at a site can limit what
an auditor sees. An operator reads the sites of its scope and nothing else: for an operator a
foreign host is as unknown as one that does not exist.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chipledger_evidence.codec import b64url_encode
from chipledger_server.usecases.refusals import Code, Refusal

TOKEN_PREFIX: Final = "clp_"  # noqa: S105 - how a token begins, not one
TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"^clp_[A-Za-z0-9_-]{43}$")
_SITE: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
EVERYTHING: Final = "*"


class Role(StrEnum):
    """What a principal is here for."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody with a name, a role and a scope.

    Attributes:
        id: permanent id, never reused.
        name: unique name, as people write it.
        role: what it may do.
        sites: site ids it may read; None is every site, also future ones.
        created_ms: when it was added.
        expires_ms: from when on its token is no longer accepted.
        revoked_ms: since when it is revoked.
    """

    id: str
    name: str
    role: Role
    sites: frozenset[str] | None
    created_ms: int
    expires_ms: int | None = None
    revoked_ms: int | None = None

    def active(self, now_ms: int) -> bool:
        """Tell whether its token is accepted."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)

    def may_read(self, site: str | None) -> bool:
        """Tell whether it may read what belongs to a site (None: to no site in particular)."""
        return self.sites is None or (site is not None and site in self.sites)


def demand_site(principal: Principal, site: str) -> None:
    """Do nothing if the principal may read the site.

    Decided before the site is looked up, so the answer does not tell whether it exists.

    Raises:
        Refusal: `outside-scope`.
    """
    if not principal.may_read(site):
        raise Refusal(
            Code.OUTSIDE_SCOPE,
            f"{principal.name} may not read the site {site}",
            hint="ask an administrator to widen the scope, or choose one of your own sites",
        )


def parse_scope(text: str) -> frozenset[str] | None:
    """Return the sites of a scope as stored: ``*`` or ``site:a,site:b``.

    Raises:
        Refusal: `malformed-scope`.
    """
    if text == EVERYTHING:
        return None
    sites = [part.removeprefix("site:") for part in text.split(",")]
    if any(
        not part.startswith("site:") or not _SITE.fullmatch(site)
        for part, site in zip(text.split(","), sites, strict=True)
    ):
        raise Refusal(
            Code.MALFORMED_SCOPE,
            f"{text!r} is no scope",
            hint='write "*" for everything, or "site:a,site:b"',
        )
    return frozenset(sites)


def scope_text(sites: Iterable[str] | None) -> str:
    """Return the stored form of a scope."""
    return EVERYTHING if sites is None else ",".join(f"site:{site}" for site in sorted(sites))


def new_token(random_bytes: bytes) -> str:
    """Return the text of a token made from 32 random bytes."""
    return TOKEN_PREFIX + b64url_encode(random_bytes)


def token_hash(token: str) -> bytes | None:
    """Return what is stored of a token: its SHA-256; None for text that is no token."""
    if not _TOKEN.fullmatch(token):
        return None
    return hashlib.sha256(token.encode("ascii")).digest()
