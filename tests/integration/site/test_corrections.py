"""Two persons behind a correction: one proposes it, and another one agrees."""

from typing import Final

import msgspec
import pytest
from httpx import Response

from chipledger_book.events import Correction, Event, encode_event, event_id
from chipledger_book.movements import Confirmed, RmaOut
from chipledger_book.signing import SigningRole, sign_event
from chipledger_book.statements import Role as Speaks
from chipledger_server.usecases.access import Role
from chipledger_testing.book import PAPER, declared, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.movements import of
from chipledger_testing.scene import HOUR, Scene
from chipledger_testing.signing import AT, OPERATOR, said, signed_file

EVENTS: Final = "/ledger/events"
WRONG: Final = received(8, shipment="DN-1")
UNDO: Final = Correction(occurred_at_ms=AT, corrects=event_id(WRONG), reason="typing error")


@pytest.fixture
def told(scene: Scene) -> Scene:
    """Return a ledger with a receipt that is wrong."""
    scene.enter(declared(), WRONG)
    return scene


def put(door: Door, event: Event | bytes, role: Role = Role.OPERATOR) -> Response:
    """Enter an event as somebody."""
    body = event if isinstance(event, bytes) else encode_event(event)
    return door.send(EVENTS, body, token=token(door, role), kind="application/json")


def token(door: Door, role: Role) -> str:
    """Return the token of somebody; an operator's is Johor's."""
    return door.token(role, *(("johor",) if role is Role.OPERATOR else ()))


def agree(door: Door, said_as: str, role: Role, key: str = event_id(UNDO)) -> Response:
    """Stand behind an event as somebody."""
    return door.send(
        f"{EVENTS}/{key}/statements",
        f'{{"role":"{said_as}"}}',
        token=token(door, role),
        kind="application/json",
    )


def book(door: Door, **times: int) -> int:
    """Return what is on the book of Johor."""
    rows = door.read("/sites/johor/balance", **times)["report"]["rows"]
    return int(rows[0]["book"]) if rows else 0


def code(answer: Response) -> str:
    """Return the code of a problem document."""
    return str(answer.json()["code"])


def test_what_one_person_corrects_stands_until_another_agrees(told: Scene, door: Door) -> None:
    """It is shown with the event until then, and counts from then on, not from before."""
    assert put(door, UNDO).status_code == 201
    proposed = told.now_ms
    assert book(door) == 8
    page = door.page(f"/events/{event_id(WRONG)}")
    assert "typing error" in text_of(page)
    assert "waits for a second person" in text_of(page)
    assert "<del>" not in page.text
    told.now_ms += HOUR
    assert agree(door, "auditor", Role.AUDITOR).status_code == 201
    assert book(door) == 0
    assert book(door, known_at=proposed) == 8
    assert "<del>" in door.page(f"/events/{event_id(WRONG)}").text


@pytest.mark.parametrize(
    ("first", "second", "said_as"),
    [
        (Role.OPERATOR, Role.AUDITOR, "auditor"),
        (Role.OPERATOR, Role.ADMINISTRATOR, "collector"),
        (Role.ADMINISTRATOR, Role.AUDITOR, "auditor"),
        (Role.ADMINISTRATOR, Role.OPERATOR, "operator"),
    ],
)
def test_auditors_and_administrators_agree(
    told: Scene, door: Door, first: Role, second: Role, said_as: str
) -> None:
    """Of the two one is an auditor or administrator; who speaks first makes no difference."""
    assert told.now_ms
    assert put(door, UNDO, first).status_code == 201
    assert agree(door, said_as, second).status_code == 201
    assert book(door) == 0


@pytest.mark.parametrize(
    ("role", "said_as"),
    [(Role.OPERATOR, "operator"), (Role.ADMINISTRATOR, "collector")],
)
def test_nobody_agrees_with_oneself(told: Scene, door: Door, role: Role, said_as: str) -> None:
    """Neither the same account nor another one of the same party."""
    assert told.now_ms
    put(door, UNDO, role)
    answer = agree(door, said_as, role)
    assert (answer.status_code, code(answer)) == (403, "same-person")
    assert book(door) == 8


def test_the_account_on_the_machine_is_one_person(told: Scene, door: Door) -> None:
    """As whom it says it speaks makes no second one of it."""
    told.enter(UNDO)
    with pytest.raises(Exception, match="same-person"):
        told.agree(UNDO, principal="local:0")
    assert book(door) == 8
    told.agree(UNDO)
    assert book(door) == 0


def test_a_key_and_a_session_of_one_party_are_one(told: Scene, door: Door) -> None:
    """The party's signature adds to its own word; an auditor's makes two."""
    assert told.now_ms
    register(door)
    put(door, UNDO)
    signed = sign_event(said(UNDO, role="operator", party="acme", at_ms=AT), OPERATOR)
    path = f"{EVENTS}/{event_id(UNDO)}/statements"
    carried = door.send(path, signed, token=token(door, Role.AUDITOR), kind="application/jose")
    assert carried.status_code == 201, carried.text
    assert book(door) == 8
    assert agree(door, "auditor", Role.AUDITOR).status_code == 201
    assert book(door) == 0


def test_a_signed_correction_needs_another_word(told: Scene, door: Door) -> None:
    """A signature is strong, and one person's."""
    assert told.now_ms
    register(door)
    assert put(door, signed_file(UNDO, OPERATOR), Role.ADMINISTRATOR).status_code == 201
    assert book(door) == 8
    assert agree(door, "collector", Role.ADMINISTRATOR).status_code == 201
    assert book(door) == 0


def register(door: Door, *roles: SigningRole) -> None:
    """Let the operator's key in."""
    new = {
        "jwk": OPERATOR.public.jwk,
        "party": "acme",
        "roles": roles or ("operator",),
        "sites": ["johor"],
        "valid_from_ms": 0,
        "reason": "letter",
    }
    office, auditor = token(door, Role.ADMINISTRATOR), token(door, Role.AUDITOR)
    made = door.send(
        "/party-keys", msgspec.json.encode(new), token=office, kind="application/json"
    ).json()
    path = f"/party-keys/{made['id']}/approval"
    assert door.send(path, b"{}", token=auditor, kind="application/json").is_success


def test_a_file_brings_proposals_and_no_more(told: Scene, door: Door) -> None:
    """Everything in it is one person's; what it corrects still holds its serials."""
    assert told.now_ms
    table = (
        "kind,happened,corrects,reason\n"
        f"correction,2026-04-02,{event_id(WRONG)},counted twice\n"
    )  # fmt: skip
    done = door.send("/ledger/imports", table, token=token(door, Role.OPERATOR))
    assert done.json()["entered"]
    assert book(door) == 8


def test_of_two_proposals_the_first_agreed_to_counts(told: Scene, door: Door) -> None:
    """The other is refused with the reason, and waits for nobody any more."""
    other = Correction(occurred_at_ms=AT, corrects=event_id(WRONG), reason="another truck")
    assert put(door, UNDO).status_code == put(door, other).status_code == 201
    told.agree(other)
    late = agree(door, "auditor", Role.AUDITOR)
    assert (late.status_code, code(late)) == (422, "already-corrected")
    auditor = door.log_in(token(door, Role.AUDITOR))
    form = door.post(f"/events/{event_id(UNDO)}/agreement", {}, session=auditor)
    assert (form.status_code, "is already corrected" in text_of(form)) == (409, True)
    assert "waits for a second person" not in text_of(door.page(f"/events/{event_id(WRONG)}"))


def test_a_correction_is_not_corrected_whether_it_waits_or_stands(told: Scene, door: Door) -> None:
    """One that waits takes effect only if somebody agrees; one that stands is answered anew."""
    put(door, UNDO)
    again = Correction(occurred_at_ms=AT, corrects=event_id(UNDO), reason="no")
    assert code(put(door, again, Role.ADMINISTRATOR)) == "correction-of-correction"
    told.agree(UNDO)
    assert code(put(door, again, Role.ADMINISTRATOR)) == "correction-of-correction"


def test_what_was_answered_meanwhile_is_not_taken_out(told: Scene, door: Door) -> None:
    """Agreeing is held to the book of that moment, not to that of the proposal."""
    rma = RmaOut(occurred_at_ms=AT, site="johor", lines=of(2), vendor="nvidia", case="C-1")
    wrong = Correction(occurred_at_ms=AT, corrects=event_id(rma), reason="other case")
    assert put(door, rma).status_code == put(door, wrong).status_code == 201
    paper = Confirmed(
        occurred_at_ms=AT, confirms=event_id(rma), role=Speaks.VENDOR, party="nvidia",
        document=PAPER,
    )  # fmt: skip
    assert put(door, paper, Role.AUDITOR).status_code == 201
    assert told.now_ms
    late = agree(door, "collector", Role.ADMINISTRATOR, event_id(wrong))
    assert (late.status_code, code(late)) == (422, "event-answered")


def test_a_site_changes_when_its_correction_takes_effect(told: Scene, door: Door) -> None:
    """Not when somebody proposes it."""
    moved = declared(site_of("johor", country="SG"), at=AT)
    told.enter(moved)
    undo = Correction(occurred_at_ms=AT, corrects=event_id(moved), reason="it has not moved")
    told.enter(undo)
    assert door.read("/sites")["items"][0]["country"] == "SG"
    told.agree(undo)
    assert door.read("/sites")["items"][0]["country"] == "MY"


def test_one_agrees_on_the_page_of_the_event(told: Scene, door: Door) -> None:
    """Whoever may sees a button; who proposed it does not."""
    put(door, UNDO)
    session = door.log_in(token(door, Role.OPERATOR))
    address = f'action="/events/{event_id(UNDO)}/agreement"'
    assert told.now_ms
    assert address not in door.page(f"/events/{event_id(WRONG)}", session=session).text
    auditor = door.log_in(token(door, Role.AUDITOR))
    assert address in door.page(f"/events/{event_id(WRONG)}", session=auditor).text
    done = door.post(f"/events/{event_id(UNDO)}/agreement", {}, session=auditor)
    assert done.status_code == 303
    assert book(door) == 0


def test_what_stands_behind_one_event_is_bounded(told: Scene, door: Door) -> None:
    """64 may; the next one is told so."""
    answers = [
        door.send(
            f"{EVENTS}/{event_id(WRONG)}/statements",
            b'{"role":"auditor"}',
            token=told.token(f"auditor-{number}", Role.AUDITOR),
            kind="application/json",
        )
        for number in range(64)
    ]
    assert [one.status_code for one in answers[:-1]] == [201] * 63
    assert code(answers[-1]) == "too-many-statements"


def test_the_page_of_an_event_says_what_became_of_it(told: Scene, door: Door) -> None:
    """Who stands behind it, what answered it, and what is open with whom."""
    rma = RmaOut(occurred_at_ms=AT, site="johor", lines=of(2), vendor="nvidia", case="C-1")
    paper = Confirmed(
        occurred_at_ms=AT, confirms=event_id(rma), role=Speaks.VENDOR, party="nvidia",
        document=PAPER,
    )  # fmt: skip
    put(door, rma)
    says = text_of(door.page(f"/events/{event_id(rma)}"))
    assert "operator acme entered in a session, not signed, by operator:johor" in says
    assert "Nothing yet." in says
    assert "Still open with nvidia: its side has not spoken; 2 H100-SXM5-80GB" in says
    put(door, paper, Role.AUDITOR)
    answered = door.page(f"/events/{event_id(rma)}")
    assert f"/events/{event_id(paper)}" in answered.text
    assert "a paper stands in the place of its word" in text_of(answered)
    assert told.now_ms
