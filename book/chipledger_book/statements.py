"""Who stands behind an event, and how strongly."""

from enum import StrEnum

from chipledger_book.terms import Millis, Name, PartyName, Record
from chipledger_evidence.ids import Digest


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


class Statement(Record, frozen=True, kw_only=True):
    """One party standing behind one event.

    Attributes:
        role: as what the party speaks.
        strength: how it is bound.
        principal: the account, or the thumbprint of the key.
        stated_at_ms: when.
        party: who; absent where the role says it (collector, auditor).
        evidence: digest of signature, assertion or accepted document, where there is one.
    """

    role: Role
    strength: Strength
    principal: Name
    stated_at_ms: Millis
    party: PartyName | None = None
    evidence: Digest | None = None
