"""What a signed event or a statement proves to somebody who has the parties' public keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chipledger_audit.gpu_files import FilesError
from chipledger_book.errors import Code, refuse
from chipledger_book.events import Event, decode_event, encode_event, event_id, read_event
from chipledger_book.signing import (
    EventFile,
    PartyStatement,
    is_event_file,
    is_statement,
    read_event_file,
    read_party_statement,
)
from chipledger_book.terms import EventId
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.keys import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementVerdict:
    """What one statement proves.

    Attributes:
        event: id of the event.
        party: who says it.
        role: as what.
        stated_at_ms: when, by the clock of who signed.
        kid: thumbprint of the key that it names.
        signed: a key that was given signed exactly this.
        code: why not, a code of docs/ERRORS.md, or an empty string.
        detail: the same in words.
    """

    event: str
    party: str
    role: str
    stated_at_ms: int
    kid: str
    signed: bool
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignVerdict:
    """What a file proves.

    Attributes:
        event: id of the event that all of it is about.
        type: kind of the event, None where only its id is known.
        statements: verdict of each statement.
    """

    event: str
    type: str | None
    statements: tuple[StatementVerdict, ...]

    @property
    def holds(self) -> bool:
        """Whether every statement is signed by a key that was given."""
        return all(one.signed for one in self.statements)


def check_signed(
    data: bytes, keys: Mapping[str, PublicKey], *, event: bytes | None = None
) -> SignVerdict:
    """Return what a signed event, or a statement, proves.

    Whether a key is the party's is not asked here: that stands in the collector's log.

    Args:
        data: the file.
        keys: thumbprint → key.
        event: the event that a statement must be about, where that is to be held against it.

    Raises:
        BookError: the file is not of the format, or about another event.
        FilesError: it is neither of both.
    """
    if is_event_file(data):
        file = read_event_file(data)
        return _verdict(file.id, file.event, file.statements, keys)
    if not is_statement(data):
        raise FilesError("neither a signed event nor a statement")
    statement = read_party_statement(data.rstrip(b"\n"))
    about = None if event is None else any_event(event)
    if about is not None and event_id(about) != statement.event:
        raise refuse(
            Code.STATEMENT_OF_ANOTHER_EVENT,
            f"it is about {statement.event}, the event given is {event_id(about)}",
            hint="check it against the event that it names",
        )
    return _verdict(statement.event, about, (statement,), keys)


def any_event(data: bytes) -> Event:
    """Return the event in a file, signed or not.

    Raises:
        BookError: it is no event.
    """
    return read_event_file(data).event if is_event_file(data) else read_event(data)


def opened(data: bytes) -> EventFile:
    """Return an event to be signed, with those who signed it before.

    Raises:
        BookError: it is no event.
    """
    if is_event_file(data):
        return read_event_file(data)
    event = decode_event(encode_event(read_event(data)))
    return EventFile(event=event, id=event_id(event), statements=())


def describe_signed(verdict: SignVerdict) -> list[str]:
    """Return the verdict as lines for a person."""
    lines = [f"event     {verdict.event}", f"type      {verdict.type or 'not in this file'}"]
    for one in verdict.statements:
        lines.append(f"party     {one.party} as {one.role}, key {one.kid}")
        held = "yes: this key signed exactly this" if one.signed else f"{one.code}: {one.detail}"
        lines.append(f"signed    {held}")
    lines.append("whose     not checked: the collector's log says which key is whose, and when")
    return lines


def _verdict(
    key: EventId,
    event: Event | None,
    statements: Sequence[PartyStatement],
    keys: Mapping[str, PublicKey],
) -> SignVerdict:
    return SignVerdict(
        event=key,
        type=None if event is None else str(type(event).__struct_config__.tag),
        statements=tuple(_one(statement, keys) for statement in statements),
    )


def _one(statement: PartyStatement, keys: Mapping[str, PublicKey]) -> StatementVerdict:
    code, detail = "", ""
    key = keys.get(statement.kid)
    if key is None:
        code, detail = "unknown-key", "its key was not given"
    else:
        try:
            statement.by(key)
        except EvidenceError as error:
            code, detail = str(error.code), error.detail
    return StatementVerdict(
        event=statement.event,
        party=statement.said.party,
        role=statement.said.role,
        stated_at_ms=statement.said.stated_at_ms,
        kid=statement.kid,
        signed=not code,
        code=code,
        detail=detail,
    )
