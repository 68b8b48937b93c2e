"""What parties sign with their own keys: statements on events, and files that hold both.

A statement is a compact JWS of its own `typ` over canonical JSON that names the event by its
digest, so that it can be signed by a machine that never sees the collector, and a second one can be
made long after the first. Bytes of another form are refused, not repaired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.events import MAX_EVENT_BYTES, Event, event_id
from chipledger_book.statements import (
    MAX_SIGNED_CHARACTERS,
    CompactJws,
    Role,
    Statement,
    Strength,
)
from chipledger_book.terms import EventId, Millis, PartyName
from chipledger_evidence.codec import Wire, decode_strict, encode_canonical
from chipledger_evidence.compact import Statement as Signed
from chipledger_evidence.compact import read_statement, sign_statement
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import Digest, KeyId
from chipledger_evidence.keys import PublicKey, Signer

STATEMENT_TYP: Final = "chipledger-statement+jwt"
MAX_STATEMENTS: Final = 8
"""Statements in one file."""
MAX_FILE_BYTES: Final = MAX_EVENT_BYTES + MAX_STATEMENTS * (MAX_SIGNED_CHARACTERS + 8)
"""Largest signed event, in bytes of the file."""

SigningRole = Literal["operator", "consignee", "shipper", "vendor", "regulator", "auditor"]
"""As what a party signs; the collector itself signs no events."""


class Said(Wire, frozen=True, kw_only=True):
    """What a party signs.

    Attributes:
        event: digest of the event's canonical bytes, its id.
        party: who says it, by party id.
        role: as what.
        stated_at_ms: when, by the clock of who signed; Unix milliseconds.
        v: version of this format.
    """

    event: Digest
    party: PartyName
    role: SigningRole
    stated_at_ms: Millis
    v: Literal[1] = 1


class SignedEvent(Wire, frozen=True, kw_only=True):
    """A file that holds an event and those who signed it.

    Attributes:
        event: what happened.
        statements: what parties signed of it, one each.
        v: version of this format.
    """

    event: Event
    statements: Annotated[
        tuple[CompactJws, ...], msgspec.Meta(min_length=1, max_length=MAX_STATEMENTS)
    ]
    v: Literal[1] = 1


class _Outline(msgspec.Struct):
    """As much of a file as tells what it is."""

    statements: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyStatement:
    """A signed statement as read. It counts only after :meth:`by` has returned.

    Attributes:
        text: the compact JWS.
        event: the event it is about.
        kid: thumbprint of the key it names.
        said: what it says.
    """

    text: str
    event: EventId
    kid: KeyId
    said: Said
    _signed: Signed[Said]

    def by(self, key: PublicKey) -> Statement:
        """Return what stands in the ledger, only if `key` is the key it names and signed it.

        Raises:
            EvidenceError: `wrong-algorithm`, `bad-signature` or `high-s-signature`.
        """
        said = self._signed.by(key)
        return Statement(
            role=Role(said.role),
            strength=Strength.PARTY_KEY,
            principal=key.kid,
            stated_at_ms=said.stated_at_ms,
            party=said.party,
            signed=self.text,
        )


def sign_event(said: Said, signer: Signer) -> str:
    """Return a statement as the compact JWS that is handed in."""
    return sign_statement(said, signer, typ=STATEMENT_TYP).decode("ascii")


def read_party_statement(data: bytes, *, where: str = "") -> PartyStatement:
    """Return the statement in a compact JWS; its signature is not checked yet.

    Args:
        data: the text, without white space.
        where: path of it in what was handed in, for the problem.

    Raises:
        BookError: `malformed-statement`.
    """
    if len(data) > MAX_SIGNED_CHARACTERS:
        raise _malformed(where, f"{len(data)} bytes, at most {MAX_SIGNED_CHARACTERS}")
    try:
        signed = read_statement(data, Said, typ=STATEMENT_TYP)
    except EvidenceError as error:
        raise _malformed(where, f"{error.code}: {error.detail}") from error
    return PartyStatement(
        text=data.decode("ascii"),
        event=EventId(signed.said.event),
        kid=KeyId(signed.header.kid),
        said=signed.said,
        _signed=signed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFile:
    """A signed event as read: the event, its id, and its statements, not checked yet."""

    event: Event
    id: EventId
    statements: tuple[PartyStatement, ...]


def write_event_file(event: Event, statements: Sequence[str]) -> bytes:
    """Return the bytes of a signed event; they are canonical, so nothing can be changed unseen."""
    return encode_canonical(SignedEvent(event=event, statements=tuple(statements)))


def read_event_file(data: bytes) -> EventFile:
    """Return the event and the statements in a file; signatures are not checked yet.

    Raises:
        BookError: `malformed-statement`, `statement-of-another-event` and
            `statement-contradicts`, all that are found.
    """
    try:
        read = decode_strict(data, SignedEvent, max_bytes=MAX_FILE_BYTES)
    except EvidenceError as error:
        raise _malformed("", f"{error.code}: {error.detail}") from error
    key = event_id(read.event)
    problems: list[Problem] = []
    found: list[PartyStatement] = []
    for position, text in enumerate(read.statements):
        where = f"statements[{position}]"
        try:
            statement = read_party_statement(text.encode("ascii"), where=where)
        except BookError as error:
            problems.extend(error.problems)
            continue
        problems.extend(_misfits(statement, key, found, where=where))
        found.append(statement)
    if problems:
        raise BookError(problems)
    return EventFile(event=read.event, id=key, statements=tuple(found))


def is_event_file(data: bytes) -> bool:
    """Tell whether bytes look like a signed event: an object with `statements`, as no event has."""
    try:
        return msgspec.json.decode(data, type=_Outline).statements is not msgspec.UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def is_statement(data: bytes) -> bool:
    """Tell whether bytes look like a statement: a compact JWS begins with a coded brace."""
    return data.startswith(b"eyJ")


def _misfits(
    statement: PartyStatement, key: EventId, before: Sequence[PartyStatement], *, where: str
) -> list[Problem]:
    """Return what keeps a statement out of the file it stands in."""
    problems = []
    if statement.event != key:
        problems.append(
            Problem(
                code=Code.STATEMENT_OF_ANOTHER_EVENT,
                where=where,
                detail=f"it is about {statement.event}, the event in this file is {key}",
                hint="sign this event, or hand the statement in with its own",
            )
        )
    problems.extend(
        Problem(
            code=Code.STATEMENT_CONTRADICTS,
            where=where,
            detail=f"{other.said.party} speaks twice, as {other.said.role} before",
            hint="one statement a party: keep the one that is right",
        )
        for other in before
        if statement.said.party == other.said.party
    )
    return problems


def _malformed(where: str, detail: str) -> BookError:
    return refuse(
        Code.MALFORMED_STATEMENT,
        detail,
        where=where,
        hint="make it with chipledger-sign, and hand it in unchanged; docs/WIRE.md, section 8",
    )
