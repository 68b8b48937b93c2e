"""The doors for one event and for standing behind one: signed by parties, or in a session."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from httpx import Response
from msgspec.structs import replace

from chipledger_book.events import Correction, Event, Role, encode_event, event_id
from chipledger_book.movements import Confirmed, RmaOut
from chipledger_book.report import SiteReport
from chipledger_book.signing import SigningRole, sign_event
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.keys import Signer
from chipledger_server.usecases.access import Role as Account
from chipledger_server.usecases.book.reconcile import Measure, balance_of
from chipledger_server.usecases.reading import When
from chipledger_testing.book import PAPER, declared, lpp, ms, party, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.movements import of
from chipledger_testing.scene import Scene
from chipledger_testing.signing import AT, OPERATOR, VENDOR, said, signed_file

EVENTS: Final = "/ledger/events"
JSON: Final = "application/json"
JOSE: Final = "application/jose"
RECEIPT: Final = received(8, shipment="DN-1")
RMA: Final = RmaOut(occurred_at_ms=AT, site="johor", lines=of(2), vendor="nvidia", case="C-1")


class Desk:
    """A collector with two sites of two operators, seen through its door."""

    def __init__(self, scene: Scene, door: Door) -> None:
        scene.enter(declared(), declared(site_of("muar", owner=party("newco"))))
        self.scene = scene
        self.door = door

    def token(self, role: Account, *sites: str) -> str:
        """Return the token of a principal; an operator's is Johor's if no site is named."""
        return self.door.token(role, *(sites or (("johor",) if role is Account.OPERATOR else ())))

    def enter(
        self, event: Event | bytes, role: Account = Account.OPERATOR, *sites: str
    ) -> Response:
        """Send an event."""
        body = event if isinstance(event, bytes) else encode_event(event)
        return self.door.send(EVENTS, body, token=self.token(role, *sites), kind=JSON)

    def stand(
        self, key: str, body: str, role: Account = Account.OPERATOR, *sites: str, kind: str = JSON
    ) -> Response:
        """Send a statement, or as what to stand behind an event."""
        path = f"{EVENTS}/{key}/statements"
        return self.door.send(path, body, token=self.token(role, *sites), kind=kind)

    def register(self, signer: Signer, party_id: str, *roles: str, **more: Any) -> str:  # noqa: ANN401 - JSON
        """Let a key in, by two people; return the proposal."""
        new = {
            "jwk": msgspec.json.decode(encode_canonical(signer.public.jwk)),
            "party": party_id,
            "roles": roles,
            "sites": ["johor"],
            "valid_from_ms": ms(2026),
            "reason": "letter",
            **more,
        }
        made = self.act("/party-keys", new, Account.ADMINISTRATOR)
        assert made.status_code == 200, made.text
        proposal = str(made.json()["id"])
        assert self.act(f"/party-keys/{proposal}/approval", {}, Account.AUDITOR).is_success
        return proposal

    def act(self, path: str, body: dict[str, Any], role: Account) -> Response:
        """Do something about keys of parties."""
        return self.door.send(path, msgspec.json.encode(body), token=self.token(role), kind=JSON)

    def statements(self, key: str) -> list[dict[str, Any]]:
        """Return who stands behind an event, as the API shows it."""
        found: list[dict[str, Any]] = self.door.read(f"/events/{key}")["statements"]
        return found


@pytest.fixture
def desk(scene: Scene, door: Door) -> Desk:
    """Return a collector with two sites."""
    return Desk(scene, door)


def codes(answer: Response) -> list[str]:
    """Return every code of a problem document, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    return [one["code"] for one in document.get("problems", [document])]


def statement(event: Event, signer: Signer, role: SigningRole, who: str, *, at_ms: int = AT) -> str:
    """Return what a party signs of an event."""
    return sign_event(said(event, role=role, party=who, at_ms=at_ms), signer)


def test_an_operator_enters_what_happened_at_its_site(desk: Desk) -> None:
    """As its party, in a session: entered, and called so."""
    answer = desk.enter(RECEIPT)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": event_id(RECEIPT),
        "known_before": False,
        "log_index": None,
    }
    (word,) = desk.statements(event_id(RECEIPT))
    assert (word["role"], word["party"], word["strength"]) == ("operator", "acme", "session")
    assert "not signed" in word["words"]
    assert word["signed"] is None


def test_the_same_event_again_is_known(desk: Desk) -> None:
    """200 instead of 201, and where it stands in the log once that is known."""
    desk.enter(RECEIPT)
    desk.scene.sequence()
    again = desk.enter(RECEIPT)
    assert again.status_code == 200
    assert again.json()["known_before"] is True
    index = again.json()["log_index"]
    assert desk.door.read(f"/log/{index}")["type"] == "event"
    assert desk.door.read(f"/events/{event_id(RECEIPT)}")["log_index"] == index


@pytest.mark.parametrize(
    ("event", "role"),
    [
        (received(8, site="muar"), Account.OPERATOR),
        (declared(site_of("kulai")), Account.OPERATOR),
    ],
)
def test_nobody_enters_outside_its_scope(desk: Desk, event: Event, role: Account) -> None:
    """Whether or not the site is there."""
    answer = desk.enter(event, role)
    assert (answer.status_code, codes(answer)) == (403, ["outside-scope"])


def test_an_operator_declares_no_site_anew_with_its_own_key(desk: Desk) -> None:
    """Another parent, country or day would leave a ceiling; an administrator enters it."""
    desk.register(OPERATOR, "acme", "operator", "consignee")
    moved = declared(replace(site_of("johor"), country="US"), at=ms(2025, 6))
    answer = desk.enter(signed_file(moved, OPERATOR))
    assert (answer.status_code, codes(answer)) == (403, ["forbidden"])
    assert desk.enter(signed_file(moved, OPERATOR), Account.ADMINISTRATOR).status_code == 201


def test_nobody_is_told_at_which_other_site_an_event_is(desk: Desk) -> None:
    """An id that is foreign and one that nothing has are answered alike."""
    foreign = received(8, site="muar")
    desk.scene.enter(foreign)
    texts = set()
    for key in (event_id(foreign), "A" * 43):
        wrong = Correction(occurred_at_ms=AT, corrects=key, reason="x")
        answer = desk.enter(wrong)
        assert answer.status_code == 403
        texts.add(answer.text)
    assert len(texts) == 1


@pytest.mark.parametrize("role", [Account.AUDITOR, Account.ADMINISTRATOR])
def test_nobody_speaks_for_a_vendor_in_a_session(desk: Desk, role: Account) -> None:
    """The vendor signs with its own key, or an auditor accepts its paper."""
    desk.enter(RECEIPT)
    desk.enter(RMA)
    word = Confirmed(occurred_at_ms=AT, confirms=event_id(RMA), role=Role.VENDOR, party="nvidia")
    assert codes(desk.enter(word, role)) == ["not-yours-to-enter"]
    paper = desk.enter(replace(word, document=PAPER), Account.AUDITOR)
    assert paper.status_code == 201
    (accepted,) = desk.statements(paper.json()["id"])
    assert accepted["strength"] == "document"
    assert "one-sided" in accepted["words"]


def test_everything_wrong_is_listed_with_its_place(desk: Desk) -> None:
    """One round of repairs is enough."""
    wrong = received(0, shipment="X", at=desk.scene.now_ms + 3_600_000)
    answer = desk.enter(wrong)
    assert answer.status_code == 422
    found = {(one["code"], one["where"]) for one in answer.json()["problems"]}
    assert found >= {
        ("event-in-future", "occurred_at_ms"),
        ("quantity-not-positive", "lines[0].pieces"),
    }
    assert all(one["hint"] for one in answer.json()["problems"])


def test_a_backdated_event_keeps_both_times(desk: Desk) -> None:
    """When it happened, and when the collector took it up: late, and said so."""
    desk.enter(received(1, at=ms(2025, 1, 5), shipment="old"))
    key = event_id(received(1, at=ms(2025, 1, 5), shipment="old"))
    shown = desk.door.read(f"/events/{key}")
    assert (shown["occurred_ms"], shown["recorded_ms"]) == (ms(2025, 1, 5), desk.scene.now_ms)
    session = desk.door.log_in(desk.token(Account.AUDITOR))
    assert "days after it happened" in text_of(desk.door.page(f"/events/{key}", session=session))


def test_a_signed_event_counts_as_its_partys_word(desk: Desk) -> None:
    """Whoever sends it; and it is the only strength that is called signed."""
    desk.register(OPERATOR, "acme", "operator")
    answer = desk.enter(signed_file(RECEIPT, OPERATOR), Account.ADMINISTRATOR)
    assert answer.status_code == 201, answer.text
    (word,) = desk.statements(event_id(RECEIPT))
    assert word["strength"] == "party-key"
    assert word["principal"] == OPERATOR.public.kid
    assert word["words"] == "acme as operator, signed with its own key"
    assert word["signed"].count(".") == 2


def test_a_signed_event_is_carried_within_a_scope(desk: Desk) -> None:
    """An operator of another site does not hand in what it should not see."""
    desk.register(OPERATOR, "acme", "operator")
    answer = desk.enter(signed_file(RECEIPT, OPERATOR), Account.OPERATOR, "muar")
    assert codes(answer) == ["outside-scope"]


@pytest.mark.parametrize(
    ("signer", "role", "who", "at_ms", "code"),
    [
        (VENDOR, "operator", "acme", AT, "statement-key-unknown"),
        (OPERATOR, "consignee", "acme", AT, "statement-key-not-for-this"),
        (OPERATOR, "operator", "newco", AT, "statement-key-not-for-this"),
        (OPERATOR, "operator", "acme", ms(2025, 12, 31), "statement-key-not-valid"),
    ],
)
def test_a_key_speaks_for_what_it_was_let_in_for(
    desk: Desk, signer: Signer, role: SigningRole, who: str, *, at_ms: int, code: str
) -> None:
    """Its party, its roles, its sites, its time."""
    desk.register(OPERATOR, "acme", "operator")
    file = signed_file(RECEIPT, signer, role=role, party=who, at_ms=at_ms)
    answer = desk.enter(file, Account.ADMINISTRATOR)
    assert answer.status_code == 422
    assert code in codes(answer)
    assert len(desk.door.read("/events")["items"]) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.replace(b'"pieces":8', b'"pieces":9'),
        lambda file: file[:-40] + bytes([file[-40] ^ 1]) + file[-39:],
        lambda file: file.replace(b'"statements":[', b'"statements":["a.b.c",'),
        lambda file: file + b" ",
    ],
    ids=["another quantity", "another signature", "half signed", "a blank behind it"],
)
def test_what_was_changed_is_refused(desk: Desk, change: Callable[[bytes], bytes]) -> None:
    """Nothing of it is entered."""
    desk.register(OPERATOR, "acme", "operator")
    answer = desk.enter(change(signed_file(RECEIPT, OPERATOR)), Account.ADMINISTRATOR)
    assert answer.status_code == 422, answer.text
    assert set(codes(answer)) <= {
        "statement-of-another-event",
        "statement-signature-wrong",
        "malformed-statement",
    }
    assert len(desk.door.read("/events")["items"]) == 2


def test_a_vendor_signs_what_a_site_entered(desk: Desk) -> None:
    """The event stays, its open side closes; the second time it is known."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)
    balance = desk.door.read("/sites/johor/balance")["report"]
    assert [one["sides"] for one in balance["one_sided"]] == ["open-one-sided"]
    text = statement(RMA, VENDOR, "vendor", "nvidia")
    done = desk.stand(event_id(RMA), text, kind=JOSE)
    assert done.status_code == 201, done.text
    assert desk.stand(event_id(RMA), text, kind=JOSE).status_code == 200
    later = statement(RMA, VENDOR, "vendor", "nvidia", at_ms=AT + 1)
    assert desk.stand(event_id(RMA), later, kind=JOSE).json()["known_before"] is True
    words = desk.statements(event_id(RMA))
    assert [(one["role"], one["strength"]) for one in words] == [
        ("operator", "session"),
        ("vendor", "party-key"),
    ]
    assert desk.door.read("/sites/johor/balance")["report"]["one_sided"] == []


def test_what_is_kept_of_a_site_follows_a_statement(desk: Desk) -> None:
    """The overview was shown before the vendor signed, and shows after it what the page shows."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)

    def shown() -> tuple[object, object]:
        (line,) = (one for one in desk.door.read("/sites")["items"] if one["id"] == "johor")
        report = desk.door.read("/sites/johor/balance")["report"]
        return line, report["rows"][0]["book"]

    before = shown()
    desk.stand(event_id(RMA), statement(RMA, VENDOR, "vendor", "nvidia"), kind=JOSE)
    after = shown()
    assert (before[1], after[1]) == (8, 6)
    assert before[0] != after[0]


def test_what_sites_share_is_kept_no_longer_than_to_the_next_statement(desk: Desk) -> None:
    """A sister site's receipt is taken out by a second word: the room it used is there at once.

    The sister is not asked anew for a question about the other site unless something touches it.
    """
    scene, door = desk.scene, desk.door
    taken = received(1000, site="penang")
    undo = Correction(occurred_at_ms=AT, corrects=event_id(taken), reason="another site's")
    scene.enter(declared(site_of("penang")), lpp(), taken, received(1000), undo)

    def verdict(measure: Measure) -> SiteReport:
        now = When(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms)
        with scene.reads.snapshot() as snapshot:
            return balance_of(snapshot, "johor", now, measure).report

    def shown() -> object:
        return door.read("/sites/johor/balance")["report"]["tpp"]

    kept = scene.measure
    crowded, before = verdict(kept), shown()
    assert verdict(kept) == crowded == verdict(scene.measure)
    scene.agree(undo)
    assert verdict(kept) == verdict(scene.measure) != crowded
    assert shown() != before


def test_what_was_not_stated_yet_was_not_known(desk: Desk) -> None:
    """`known_at` before the statement shows the event without it."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)
    before = desk.scene.now_ms
    desk.scene.now_ms += 60_000
    desk.stand(event_id(RMA), statement(RMA, VENDOR, "vendor", "nvidia"), kind=JOSE)
    path = f"/events/{event_id(RMA)}"
    assert len(desk.door.read(path, known_at=str(before))["statements"]) == 1
    assert len(desk.door.read(path)["statements"]) == 2


def test_an_account_stands_behind_an_event_in_a_session(desk: Desk) -> None:
    """An auditor behind anything, an operator behind its own; both are said to be no signature."""
    desk.enter(RECEIPT)
    done = desk.stand(event_id(RECEIPT), '{"role":"auditor"}', Account.AUDITOR)
    assert done.status_code == 201, done.text
    again = desk.stand(event_id(RECEIPT), '{"role":"operator"}')
    assert again.json()["known_before"] is True
    strengths = [one["strength"] for one in desk.statements(event_id(RECEIPT))]
    assert strengths == ["session", "session"]


@pytest.mark.parametrize(
    ("body", "role", "sites", "status", "code"),
    [
        ('{"role":"auditor"}', Account.OPERATOR, (), 403, "forbidden"),
        ('{"role":"operator"}', Account.AUDITOR, (), 403, "forbidden"),
        ('{"role":"operator"}', Account.ADMINISTRATOR, (), 403, "forbidden"),
        ('{"role":"operator"}', Account.OPERATOR, ("muar",), 404, "unknown-event"),
        ('{"role":"king"}', Account.OPERATOR, (), 400, "invalid-parameter"),
        ("nothing", Account.OPERATOR, (), 400, "invalid-parameter"),
        ('{"role":"consignee"}', Account.OPERATOR, (), 422, "statement-contradicts"),
    ],
)
def test_a_session_does_not_speak_for_others(
    desk: Desk, body: str, role: Account, *, sites: tuple[str, ...], status: int, code: str
) -> None:
    """Each account in its own role, at its own sites, and in one role only."""
    desk.enter(RECEIPT)
    answer = desk.stand(event_id(RECEIPT), body, role, *sites)
    assert (answer.status_code, codes(answer)) == (status, [code])


def test_an_event_that_is_not_there_is_not_stood_behind(desk: Desk) -> None:
    """In the words of an event that one may not see."""
    missing = desk.stand("A" * 43, '{"role":"auditor"}', Account.AUDITOR)
    assert (missing.status_code, codes(missing)) == (404, ["unknown-event"])


def test_a_statement_is_handed_in_for_its_event(desk: Desk) -> None:
    """A mix-up is refused, not filed where it says."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)
    text = statement(RMA, VENDOR, "vendor", "nvidia")
    answer = desk.stand(event_id(RECEIPT), text, kind=JOSE)
    assert codes(answer) == ["statement-of-another-event"]


def test_a_record_of_a_statement_stands_in_the_log(desk: Desk) -> None:
    """Of its own; the operator of the site is entitled to it, another one is not."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)
    desk.stand(event_id(RMA), statement(RMA, VENDOR, "vendor", "nvidia"), kind=JOSE)
    desk.scene.sequence()

    def newest(*sites: str) -> dict[str, Any]:
        token = desk.token(Account.OPERATOR, *sites)
        items = desk.door.ask("/log", token=token).json()["items"]
        return max((one for one in items if one["type"] == "event"), key=lambda one: one["index"])

    assert newest("johor")["record"] is not None
    record = msgspec.json.decode(newest("johor")["record"])
    assert record["of"] == event_id(RMA)
    assert record["statement"]["strength"] == "party-key"
    assert newest("muar")["record"] is None


def test_the_page_says_which_word_is_signed(desk: Desk) -> None:
    """A session entry is never called signed; a signature names its party."""
    desk.register(VENDOR, "nvidia", "vendor")
    desk.enter(RECEIPT)
    desk.enter(RMA)
    desk.stand(event_id(RMA), statement(RMA, VENDOR, "vendor", "nvidia"), kind=JOSE)
    session = desk.door.log_in(desk.token(Account.AUDITOR))
    signed = text_of(desk.door.page(f"/events/{event_id(RMA)}", session=session))
    assert "signed with the party's own key" in signed
    assert "entered in a session, not signed" in signed
    plain = text_of(desk.door.page(f"/events/{event_id(RECEIPT)}", session=session))
    assert "signed with" not in plain


def test_keys_of_parties_are_listed(desk: Desk) -> None:
    """With what became of them; an operator sees those that speak of its sites."""
    desk.register(OPERATOR, "acme", "operator")
    desk.register(VENDOR, "nvidia", "vendor", sites=["muar"])
    found = desk.door.read("/party-keys")["items"]
    assert {(one["party"], one["state"]) for one in found} == {
        ("acme", "valid"),
        ("nvidia", "valid"),
    }
    own = desk.door.ask("/party-keys", token=desk.token(Account.OPERATOR)).json()["items"]
    assert [one["party"] for one in own] == ["acme"]


def test_a_key_is_let_in_by_another_person(desk: Desk) -> None:
    """By an administrator or an auditor; once; and it can be declined or revoked."""
    new = {
        "jwk": msgspec.json.decode(encode_canonical(VENDOR.public.jwk)),
        "party": "nvidia",
        "roles": ["vendor"],
        "everywhere": True,
        "reason": "letter",
    }
    admin, auditor = Account.ADMINISTRATOR, Account.AUDITOR
    assert codes(desk.act("/party-keys", new, auditor)) == ["forbidden"]
    proposal = desk.act("/party-keys", new, admin).json()["id"]
    own = desk.act(f"/party-keys/{proposal}/approval", {}, admin)
    assert (own.status_code, codes(own)) == (403, ["same-person"])
    taken = desk.act("/party-keys", new, admin)
    assert (taken.status_code, codes(taken)) == (409, ["party-key-taken"])
    declined = desk.act(f"/party-keys/{proposal}/refusal", {"reason": "no letter"}, auditor)
    assert declined.json()["state"] == "declined"
    desk.register(VENDOR, "nvidia", "vendor")
    kid = VENDOR.public.kid
    revoked = desk.act(f"/party-keys/{kid}/revocation", {"reason": "stolen"}, auditor)
    assert revoked.json()["state"] == "revoked"
    again = desk.act(f"/party-keys/{kid}/revocation", {"reason": "stolen"}, auditor)
    assert codes(again) == ["already-revoked"]
