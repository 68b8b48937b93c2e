"""Keys of parties, and who stands behind an event, as readers are shown them."""

from typing import Final

from chipledger_book.events import Statement, Strength
from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.access import scope_text
from chipledger_server.usecases.party_keys import PartyKey
from chipledger_server.usecases.views import PartyKeyView, StatementView

STRENGTH_WORDS: Final = {
    Strength.PARTY_KEY: "signed with its own key",
    Strength.PASSKEY: "confirmed with a passkey",
    Strength.SESSION: "entered by an account, not signed",
    Strength.DOCUMENT: "one-sided: a paper that an auditor accepted, not signed",
    Strength.ATTESTED: "recorded from a host's report, nobody's word",
}
"""How strongly a statement is bound to its party; only one of them is a signature."""


def statement_words(statement: Statement) -> str:
    """Return who says it and how that is known: ``acme as operator, signed with its own key``."""
    who = statement.party or statement.principal
    return f"{who} as {statement.role}, {STRENGTH_WORDS[statement.strength]}"


def statement_view(statement: Statement) -> StatementView:
    """Return a statement as readers are shown it."""
    return StatementView(
        role=statement.role,
        party=statement.party,
        strength=statement.strength,
        words=statement_words(statement),
        principal=statement.principal,
        stated_ms=statement.stated_at_ms,
        signed=statement.signed,
    )


def party_key_view(key: PartyKey, now_ms: int, *, ttl_s: int) -> PartyKeyView:
    """Return a key as readers are shown it, with what has become of it at a time."""
    return PartyKeyView(
        id=key.id,
        kid=key.key.kid,
        alg=key.key.alg,
        jwk=encode_canonical(key.key.jwk).decode(),
        party=key.party,
        name=key.name,
        roles=tuple(sorted(key.roles)),
        scope=scope_text(key.sites),
        state=key.state(now_ms, ttl_s=ttl_s),
        valid_from_ms=key.valid_from_ms,
        valid_to_ms=key.valid_to_ms,
        replaces=key.replaces,
        reason=key.reason,
        proposed_ms=key.proposed_ms,
        proposed_by=key.proposed_by,
        decided_ms=key.decided_ms,
        decided_by=key.decided_by,
        approved=key.approved,
        ended_ms=key.ended_ms,
        revoked_ms=key.revoked_ms,
        revoked_by=key.revoked_by,
    )
