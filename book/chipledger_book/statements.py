"""Who stands behind an event, and how strongly."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from chipledger_book.terms import Millis, Name, PartyName, Record
from chipledger_evidence.ids import Digest, whole

MAX_SIGNED_CHARACTERS: Final = 2048
MAX_STATEMENTS: Final = 64
"""How many may stand behind one event: every side of it, in every strength, and its auditors."""

CompactJws = Annotated[
    str,
    whole(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
    msgspec.Meta(max_length=MAX_SIGNED_CHARACTERS),
]
"""A signed statement as it was made: header, payload and signature (RFC 7515 section 7.1)."""


class Role(StrEnum):
    """As what a party speaks."""

    OPERATOR = "operator"
    CONSIGNEE = "consignee"
    SHIPPER = "shipper"
    VENDOR = "vendor"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    COLLECTOR = "collector"


class Strength(StrEnum):
    """How strongly a statement is bound to its party, strongest first."""

    PARTY_KEY = "party-key"  # signed offline with the party's own key
    PASSKEY = "passkey"  # confirmed with a passkey over the event's digest
    SESSION = "session"  # entered by an account; never called signed
    DOCUMENT = "document"  # one-sided: a paper that an auditor accepted
    ATTESTED = "attested"  # the collector's own record of a host's report; no party's word


class Statement(Record, frozen=True, kw_only=True):
    """One party standing behind one event.

    Attributes:
        role: as what the party speaks.
        strength: how it is bound.
        principal: the account, or the thumbprint of the key.
        stated_at_ms: when.
        party: who; absent where the role says it (collector, auditor).
        evidence: digest of assertion or accepted document, where there is one.
        signed: what the party signed, of strength party-key, so that anybody can check it.
    """

    role: Role
    strength: Strength
    principal: Name
    stated_at_ms: Millis
    party: PartyName | None = None
    evidence: Digest | None = None
    signed: CompactJws | None = None
