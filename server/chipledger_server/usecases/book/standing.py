"""Signed events and later statements: checked against the keys of parties, then entered.

What a party signed counts as its word whoever hands it in. Who hands it in needs a right all the
same: somebody with a scope hands in what belongs to it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_book.admission import correction_problems
from chipledger_book.admission import problems as admission_problems
from chipledger_book.agreement import agreed, person, recorded, voice
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.events import (
    Correction,
    Event,
    LedgerRecord,
    LicenceGranted,
    Role,
    SiteDeclared,
    Statement,
    StatementRecord,
    Strength,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import Confirmed, Shipped, TransferOut
from chipledger_book.rules import Tables
from chipledger_book.sides import statement_problems
from chipledger_book.signing import EventFile, PartyStatement
from chipledger_book.speaking import first_problems, later_problems, said_before
from chipledger_book.terms import EventId
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.entry import SALT_BYTES, EntryType
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import sha256_b64
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.access import Role as Account
from chipledger_server.usecases.book.entry import (
    Entered,
    LedgerPage,
    declared_site,
    draft_of,
    row_of,
)
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.party_keys import PartyKey
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """A statement as the ledger keeps it beside its event; see :class:`StatementRecord`."""

    id: str
    record: StatementRecord
    principal: str


class SigningPage(LedgerPage, Protocol):
    """A write transaction on the ledger that knows parties' keys, and takes statements."""

    def known(self, key: EventId) -> LedgerRecord | None:
        """Return an event of the ledger with all who stand behind it by now."""

    def party_key(self, kid: str) -> PartyKey | None:
        """Return the key of a party that was let in under a thumbprint."""

    def stand(self, row: StatementRow, record: Draft) -> None:
        """Add a statement and its log record."""


class SigningLedger(Protocol):
    """Where the book is kept, and the keys of parties."""

    def writing(self) -> AbstractContextManager[SigningPage]:
        """Open a write transaction: durable when it ends well, undone when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What became of a statement: the event it is about, and whether it was known already."""

    event: EventId
    statement: Statement
    known_before: bool


_AGREES_AS: Final = {
    Account.OPERATOR: Role.OPERATOR,
    Account.AUDITOR: Role.AUDITOR,
    Account.ADMINISTRATOR: Role.COLLECTOR,
}
_HAND_IN: Final = "hand in what belongs to your own sites, or let somebody who may do it"


def enter_signed(
    file: EventFile,
    ledger: SigningLedger,
    tables: Tables,
    hand: Hand,
    *,
    carrier: Principal | None,
) -> Entered:
    """Enter an event with those who signed it; of a known one, what is new about it.

    Args:
        file: the event and its statements, as read.
        ledger: the book.
        tables: dated tables.
        hand: who enters it, when, with what randomness.
        carrier: whose account hands it in; None: somebody at the collector's own machine.

    Raises:
        BookError: everything that is wrong with it; nothing is written then.
        Refusal: `outside-scope`, `forbidden`.
    """
    with ledger.writing() as page:
        book = fold(page.bearing((file.event,)))
        demand_scope(carrier, file.event, book)
        _demand_office(carrier, file.event, book)
        if page.known(file.id) is not None and book.corrected_by(file.id) is None:
            return _of_known(page, book, file, hand)
        wrong = list(admission_problems(file.event, book, tables, now_ms=hand.now_ms))
        statements, faults = _checked(file.statements, file.event, book, page)
        wrong += faults
        if not faults:  # who they are is not known before
            wrong += first_problems(file.event, statements, book, now_ms=hand.now_ms)
        if wrong:
            raise BookError(wrong)
        _append(page, book, file, statements, hand=hand)
    return Entered(id=file.id, event=file.event, known_before=False)


def state_signed(
    statement: PartyStatement,
    ledger: SigningLedger,
    hand: Hand,
    *,
    carrier: Principal | None,
    about: str | None = None,
) -> Stated:
    """Put a party's signature under an event that the ledger holds.

    Args:
        statement: as read.
        ledger: the book.
        hand: who enters it, when, with what randomness.
        carrier: whose account hands it in; None: somebody at the collector's own machine.
        about: the event that it was handed in for, where that was said.

    Raises:
        BookError: everything that is wrong with it; nothing is written then.
        Refusal: `unknown-event`, `outside-scope`.
    """
    if about is not None and about != statement.event:
        raise refuse(
            Code.STATEMENT_OF_ANOTHER_EVENT,
            f"it is about {statement.event}, and was handed in for {about}",
            where="statement.event",
            hint="hand it in for the event that it names",
        )
    with ledger.writing() as page:
        event, book = _held(statement.event, page, carrier)
        found, faults = _checked((statement,), event, book, page, where="statement")
        if faults:
            raise BookError(faults)
        return _stand(page, book, statement.event, found[0], hand=hand)


def agree(key: str, ledger: SigningLedger, hand: Hand, *, carrier: Principal | None) -> Stated:
    """Agree to a correction that another person proposed: as auditor, administrator or operator.

    Args:
        key: the correction.
        ledger: the book.
        hand: who agrees, when, with what randomness.
        carrier: whose account; None: somebody at the collector's own machine.

    Raises:
        BookError: everything that is wrong with it; nothing is written then.
        Refusal: `unknown-event`, `outside-scope`, `same-person`, `invalid-parameter` of what is
            no correction.
    """
    with ledger.writing() as page:
        if not isinstance(_held(key, page, carrier)[0], Correction):
            raise Refusal(
                RefusalCode.INVALID_PARAMETER,
                f"{key} is no correction",
                hint="only a correction needs that somebody agrees",
            )
    role = Role.COLLECTOR if carrier is None else _AGREES_AS[carrier.role]
    return state_in_session(key, role, ledger, hand, carrier=carrier)


def state_in_session(
    key: str, role: Role, ledger: SigningLedger, hand: Hand, *, carrier: Principal | None
) -> Stated:
    """Let an account stand behind an event that the ledger holds; entered, never called signed.

    Raises:
        BookError: everything that is wrong with it; nothing is written then.
        Refusal: `unknown-event`, `outside-scope`, `forbidden`, `same-person`.
    """
    if carrier is not None:
        _demand_role(carrier, role)
    with ledger.writing() as page:
        event, book = _held(EventId(key), page, carrier)
        sent = isinstance(event, TransferOut | Shipped)
        if carrier is not None and role is Role.CONSIGNEE and sent:
            raise _forbidden(carrier, "does not speak for who receives what it sent")
        statement = Statement(
            role=role,
            strength=Strength.SESSION,
            principal=hand.principal if carrier is None else carrier.name,
            stated_at_ms=hand.now_ms,
            party=_own_party(role, event, book),
        )
        _demand_another(statement, EventId(key), event, page)
        return _stand(page, book, EventId(key), statement, hand=hand)


def _demand_another(statement: Statement, key: EventId, event: Event, page: SigningPage) -> None:
    """Do nothing unless a correction waits for a second person and this is the first one again.

    Raises:
        Refusal: `same-person`.
    """
    held = page.known(key)
    if held is None or not isinstance(event, Correction) or not held.proposed:
        return
    if agreed(held.statements):
        return
    for one in held.statements:
        same = person(one.principal) == person(statement.principal)
        if same or voice(one) == voice(statement):
            raise Refusal(
                RefusalCode.SAME_PERSON,
                f"{voice(statement)} stands behind this correction already",
                hint="an auditor or administrator who is another person agrees to it",
            )


def demand_scope(carrier: Principal | None, event: Event, book: Book) -> None:
    """Do nothing if who hands something in may do so for the site that it belongs to.

    Raises:
        Refusal: `outside-scope`.
    """
    if carrier is None or carrier.sites is None:
        return
    sites = sites_of(event, book)
    if isinstance(event, Confirmed):
        sites |= _received_at(event, book)
    if carrier.sites.isdisjoint(sites):
        named = f"of {', '.join(sorted(sites)) or 'no site'}"
        if isinstance(event, Correction | Confirmed):  # nor is it told whose event has an id
            named = "about an event of another site, or of none"
        raise Refusal(
            RefusalCode.OUTSIDE_SCOPE,
            f"{carrier.name} hands in nothing {named}",
            hint=_HAND_IN,
        )


def _demand_office(carrier: Principal | None, event: Event, book: Book) -> None:
    """Do nothing unless an operator hands in what sites and licences are, whoever signed it.

    A new parent, country or licence changes what is allowed; who gains by it does not bring it.

    Raises:
        Refusal: `forbidden`.
    """
    while isinstance(event, Correction):
        corrected = book.event(EventId(event.corrects))
        if corrected is None:
            return
        event = corrected
    office = isinstance(event, SiteDeclared | LicenceGranted)
    if office and carrier is not None and carrier.role is Account.OPERATOR:
        raise Refusal(
            RefusalCode.FORBIDDEN,
            f"{carrier.name} hands in no declaration of a site and no licence",
            hint="send it to an administrator, who enters it",
        )


def sites_of(event: Event, book: Book) -> frozenset[str]:
    """Return the site an event belongs to: its own, or that of what it corrects or confirms."""
    while isinstance(event, Correction | Confirmed):
        named = event.corrects if isinstance(event, Correction) else event.confirms
        found = book.event(EventId(named))
        if found is None:
            return frozenset()
        event = found
    site = getattr(event, "site", None)
    name = getattr(site, "id", site)
    return frozenset() if name is None else frozenset({str(name)})


def _received_at(event: Confirmed, book: Book) -> frozenset[str]:
    """Return the site at which what is confirmed arrives, where that is another one."""
    first = book.event(EventId(event.confirms))
    return frozenset({first.to_site}) if isinstance(first, TransferOut) else frozenset()


def _held(key: str, page: SigningPage, carrier: Principal | None) -> tuple[Event, Book]:
    """Return an event of the ledger and what bears on it."""
    record = page.known(EventId(key))
    if record is None:
        raise _unknown(key)
    book = fold(page.bearing((record.event,)))
    try:
        demand_scope(carrier, record.event, book)
    except Refusal as refused:
        raise _unknown(key) from refused  # whoever may not see it is not told that it is there
    if book.corrected_by(EventId(key)) is not None:
        raise refuse(
            Code.ALREADY_CORRECTED,
            f"{key} is corrected: it stands no longer",
            where="statement.event",
            hint="stand behind the event that says it right",
        )
    return record.event, book


def _checked(
    signed: Sequence[PartyStatement],
    event: Event,
    book: Book,
    page: SigningPage,
    *,
    where: str | None = None,
) -> tuple[list[Statement], list[Problem]]:
    """Return statements that their parties' keys signed, and what is wrong with the others."""
    good: list[Statement] = []
    wrong: list[Problem] = []
    for position, one in enumerate(signed):
        at = where or f"statements[{position}]"
        key = page.party_key(one.kid)
        faults = list(_key_faults(one, key, event, book, where=at))
        wrong += faults
        if key is None or faults:
            continue
        try:
            good.append(one.by(key.key))
        except EvidenceError as error:
            wrong.append(
                Problem(
                    code=Code.STATEMENT_SIGNATURE_WRONG,
                    where=at,
                    detail=f"{error.code}: {error.detail}",
                    hint="sign it again, and hand it in unchanged",
                )
            )
    return good, wrong


def _key_faults(
    one: PartyStatement, key: PartyKey | None, event: Event, book: Book, *, where: str
) -> Iterator[Problem]:
    """Yield why a key does not speak for whom a statement says it does."""
    said = one.said
    if key is None:
        yield Problem(
            code=Code.STATEMENT_KEY_UNKNOWN,
            where=where,
            detail=f"no party has the key {one.kid}",
            hint="an administrator registers it, a second person lets it in",
        )
        return
    if key.revoked_ms is not None or not key.spoke_at(said.stated_at_ms):
        why = "is revoked" if key.revoked_ms is not None else "was not valid"
        yield Problem(
            code=Code.STATEMENT_KEY_NOT_VALID,
            where=f"{where}.stated_at_ms",
            detail=f"{one.kid} {why} at {said.stated_at_ms}",
            hint="sign it again with the key that is valid now",
        )
    if key.party != said.party or said.role not in key.roles:
        yield _not_for(
            f"{where}.party",
            f"{one.kid} speaks for {key.party} as {', '.join(sorted(key.roles))},"
            f" not for {said.party} as {said.role}",
        )
    sites = sites_of(event, book)
    if isinstance(event, TransferOut) and said.role == "consignee":
        sites = frozenset({event.to_site})
    if not key.covers(sites):
        where_not = ", ".join(sorted(sites)) or "what belongs to no site"
        yield _not_for(where, f"{one.kid} does not speak of {where_not}")


def _not_for(where: str, detail: str) -> Problem:
    return Problem(
        code=Code.STATEMENT_KEY_NOT_FOR_THIS,
        where=where,
        detail=detail,
        hint="sign as what the key was registered for, or let a wider one be registered",
    )


def _of_known(page: SigningPage, book: Book, file: EventFile, hand: Hand) -> Entered:
    """Add what is new of the statements on an event that the ledger holds."""
    statements, faults = _checked(file.statements, file.event, book, page)
    if faults:
        raise BookError(faults)
    known = [_stand(page, book, file.id, one, hand=hand).known_before for one in statements]
    return Entered(id=file.id, event=file.event, known_before=all(known))


def _append(
    page: SigningPage, book: Book, file: EventFile, statements: Sequence[Statement], *, hand: Hand
) -> None:
    if wrong := tuple(statement_problems(file.event, statements)):
        raise BookError(wrong)
    record = recorded(file.event, tuple(statements), at_ms=hand.now_ms)
    page.append(row_of(file.event, file.id, book, hand), draft_of(record, file.id, hand))
    book.add(record)
    changed = declared_site(file.event, book)
    if changed is not None:
        page.put_site(changed)


def _stand(
    page: SigningPage, book: Book, key: EventId, statement: Statement, *, hand: Hand
) -> Stated:
    """Add a statement to those on its event, unless it is known."""
    held = page.known(key)
    if held is None:
        raise _unknown(key)
    known = said_before(statement, held.statements)
    if known is not None:
        return Stated(event=key, statement=known, known_before=True)
    event = held.event
    wrong = list(later_problems(statement, event, held.statements, book, now_ms=hand.now_ms))
    waits = isinstance(event, Correction) and book.corrected_by(EventId(event.corrects)) != key
    if isinstance(event, Correction) and waits:  # much may have come since it was proposed
        wrong += correction_problems(event, book)
    if wrong:
        raise BookError(wrong)
    record = StatementRecord(of=key, recorded_at_ms=hand.now_ms, statement=statement)
    text = encode_canonical(record)
    row = StatementRow(id=sha256_b64(text), record=record, principal=hand.principal)
    draft = Draft(
        kind=EntryType.EVENT,
        subject=row.id,
        principal=hand.principal,
        record=text,
        time_ms=hand.now_ms,
        salt=hand.entropy(SALT_BYTES),
    )
    page.stand(row, draft)
    book.state(record)
    changed = declared_site(event, book) if waits else None
    if changed is not None:
        page.put_site(changed)
    return Stated(event=key, statement=statement, known_before=False)


def _demand_role(carrier: Principal, role: Role) -> None:
    """Do nothing if an account may speak in a role."""
    may = {
        Account.OPERATOR: {Role.OPERATOR, Role.CONSIGNEE},
        Account.AUDITOR: {Role.AUDITOR},
        Account.ADMINISTRATOR: {Role.COLLECTOR},
    }[carrier.role]
    if role not in may:
        raise _forbidden(carrier, f"does not speak as {role} in a session")


def _forbidden(carrier: Principal, detail: str) -> Refusal:
    return Refusal(
        RefusalCode.FORBIDDEN,
        f"{carrier.name} {detail}",
        hint="a party signs with its own key; an auditor speaks as auditor",
    )


def _own_party(role: Role, event: Event, book: Book) -> str | None:
    """Return the party of the site that an account of it speaks for."""
    names = sites_of(event, book)
    known = [name for name in names if book.declarations(name)]
    if not known or role in {Role.AUDITOR, Role.COLLECTOR}:
        return None
    site = book.site(known[0], event.occurred_at_ms)
    return site.operator.id if role is Role.OPERATOR else site.consignee.id


def _unknown(key: str) -> Refusal:
    return Refusal(
        RefusalCode.UNKNOWN_EVENT,
        f"there is no event {key} that you may speak of",
        hint="check the id",
    )
