"""The ledger on screens: what it lists, and how events are entered by forms and by upload."""

import re
from html import unescape
from typing import Final

import pytest
from httpx import Response

from chipledger_book.events import ByUnit, Correction, event_id
from chipledger_book.movements import RmaOut, ShipmentDeclared, Stored
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.forms import FORMS
from chipledger_server.usecases.book.rights import ENTERED_BY
from chipledger_testing.book import H100, declared, ms, party, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

RECEIPT: Final = {
    "kind": "received",
    "site": "johor",
    "happened": "2026-03-02",
    "shipper": "vendor-x",
    "line-1-model": f"sku:{H100}",
    "line-1-names": "S1\nS2",
}
Answer = tuple[ShipmentDeclared | RmaOut | Stored, str, list[str]]
SHIPMENT: Final = ShipmentDeclared(
    occurred_at_ms=ms(2026, 3),
    site="johor",
    shipper="vendor-x",
    shipment="AWB-1",
    lines=(ByUnit(model="HGX-H100-8", serials=("SRV-8", "SRV-9")),),
)


@pytest.fixture
def told(scene: Scene) -> Scene:
    """Return a ledger with two sites, two receipts, and one of them corrected."""
    wrong = received(99, at=ms(2026, 4))
    scene.enter(declared(), declared(site_of("muar", owner=party("newco"))), received(8), wrong)
    undo = Correction(
        occurred_at_ms=ms(2026, 4, 2), corrects=event_id(wrong), reason="it came to <Muar>"
    )
    scene.enter(undo)
    scene.agree(undo)
    return scene


@pytest.fixture
def operator(door: Door, told: Scene) -> str:
    """Return the session of Johor's operator."""
    assert told.now_ms
    return door.log_in(door.token(Role.OPERATOR, "johor"))


def sent(door: Door, session: str, form: dict[str, str]) -> Response:
    """Return the page that shows what a form would change, or what is wrong with it."""
    return door.post("/ledger/check", form, session=session)


def entered(door: Door, session: str, form: dict[str, str]) -> Response:
    """Return the answer to confirming what was shown."""
    page = sent(door, session, form)
    assert page.status_code == 200, text_of(page)
    shown = re.search(r'name="shown" value="([^"]+)"', page.text)
    assert shown is not None
    return door.post("/ledger/enter", {**form, "shown": shown[1]}, session=session)


def beside(page: Response, field: str) -> str:
    """Return what stands beside a field."""
    found = re.search(rf'id="h-{field}">(.*?)</span>\s*</div>', page.text, re.DOTALL)
    assert found is not None, field
    return unescape(re.sub(r"<[^>]+>", " ", found[1]))


def test_the_ledger_lists_newest_first_and_strikes_what_was_corrected(
    door: Door, told: Scene
) -> None:
    """With the reason and a link to the correction; nothing is missing."""
    page = door.page("/ledger")
    says = text_of(page)

    assert told.now_ms
    assert says.index("takes back") < says.index("99 H100") < says.index("8 H100")
    assert "<del>99 H100-SXM5-80GB by count</del>" in page.text
    assert "it came to &lt;Muar&gt;" in page.text
    assert "entered in a session, not signed, by local:0" in says


@pytest.mark.parametrize(
    ("query", "holds", "lacks"),
    [
        ("site=muar", "Muar in MY", "8 H100"),
        ("kind=correction", "takes back", "operated by"),
        ("party=newco", "Muar in MY", "8 H100"),
        ("since=2026-04-01", "99 H100", "8 H100-SXM5-80GB by count"),
        ("known_at=2026-05-01", "The ledger is empty", "8 H100"),
        ("as_of=2026-03-15", "8 H100", "99 H100"),
    ],
)
def test_the_ledger_is_filtered(
    door: Door, told: Scene, query: str, holds: str, lacks: str
) -> None:
    """By site, kind, party and time; at other times it is what it was."""
    says = text_of(door.page(f"/ledger?{query}"))

    assert told.now_ms
    assert holds in says
    assert lacks not in says


def test_the_ledger_has_pages(door: Door, told: Scene) -> None:
    """Every event is on exactly one of them."""
    told.enter(*(received(1, at=ms(2026, 1), shipment=f"N{number}") for number in range(60)))
    first = door.page("/ledger")
    older = re.search(r'href="(/ledger\?[^"]*before=[^"]+)"', first.text)
    assert older is not None
    second = door.page(unescape(older[1]))
    ids = [re.findall(r'<th scope="row"><a href="/events/([^"?]+)', page.text) for page in
           (first, second)]  # fmt: skip

    assert [len(page) for page in ids] == [50, 15]
    assert len({*ids[0], *ids[1]}) == 65
    assert door.page("/ledger?before=nonsense").status_code == 400


def test_an_operator_sees_its_own_ledger_only(door: Door, operator: str) -> None:
    """A foreign site is neither listed nor offered."""
    assert "muar" not in door.page("/ledger", session=operator).text
    assert door.page("/ledger?site=muar", session=operator).status_code == 403


@pytest.mark.parametrize("role", list(Role))
def test_a_form_is_shown_to_those_who_may_enter_it(door: Door, told: Scene, role: Role) -> None:
    """It says what the event does, who the other side is and which timer it starts."""
    assert told.now_ms
    sites = ("johor",) if role is Role.OPERATOR else ()
    session = door.log_in(door.token(role, *sites))
    offered = door.page("/ledger/new", session=session).text
    for kind, form in FORMS.items():
        page = door.page(f"/ledger/new/{kind}", session=session)
        may = role in ENTERED_BY[kind]

        assert page.status_code == (200 if may else 403), kind
        assert (f'href="/ledger/new/{kind}"' in offered) is may
        says = unescape(text_of(page))
        wanted = (form.effect, form.other, "The timer it starts", "in a session, not signed")
        assert not may or all(text in says for text in wanted)


def test_what_it_would_change_is_shown_before_it_is_entered(door: Door, operator: str) -> None:
    """Pieces before and after; nothing is written until it is confirmed."""
    page = sent(door, operator, RECEIPT)

    assert "H100-SXM5-80GB 8 10 +2" in text_of(page)
    assert "entered by operator:johor in a session, not signed" in text_of(page)
    assert len(door.read("/events")["items"]) == 5
    done = entered(door, operator, RECEIPT)
    assert done.status_code == 303
    assert len(door.read("/events")["items"]) == 6
    shown = text_of(door.page(done.headers["location"], session=operator))
    assert "Entered." in shown
    assert "operator acme entered in a session, not signed, by operator:johor" in shown
    again = text_of(sent(door, operator, RECEIPT))
    assert "The book holds this already" in again


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(
    door: Door, operator: str
) -> None:
    """422, every field with its own words, nothing echoed as markup."""
    bad = {
        **RECEIPT,
        "happened": "<b>soon</b>",
        "shipper": "Vendor X",
        "line-1-names": "S1\nS1",
        "remark": '"><script>alert(1)</script>',
    }
    page = sent(door, operator, bad)

    assert page.status_code == 422
    assert "'<b>soon</b>' is no time" in beside(page, "happened")
    assert "cell-malformed" in beside(page, "shipper")
    assert "something is named twice" in text_of(page)
    assert "<script" not in page.text
    assert 'value="Vendor X"' in page.text
    assert "S1\nS1</textarea>" in page.text
    assert len(door.read("/events")["items"]) == 5


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"site": "muar"}, "site", "not-yours-to-enter"),
        ({"happened": "2036-01-01"}, "happened", "event-in-future"),
        ({"site": ""}, "site", "cell-missing"),
        ({"answers": "A" * 43}, "answers", "answer-does-not-fit"),
        ({"licence_issuer": "BIS"}, "licence_number", "cell-missing"),
        ({"licence_issuer": "BIS", "licence_number": "9"}, "licence_issuer", "unknown-licence"),
        ({"document": "no digest"}, "document", "cell-malformed"),
    ],
)
def test_what_the_book_refuses_stands_beside_its_field(
    door: Door, operator: str, change: dict[str, str], field: str, code: str
) -> None:
    """The server decides, whatever the page offered."""
    page = sent(door, operator, {**RECEIPT, **change})

    assert page.status_code == 422
    assert code in beside(page, field)


def test_a_confirmation_is_held_to_everything_again(door: Door, operator: str, told: Scene) -> None:
    """What changed since is said; what was not shown is shown first."""
    other = door.post("/ledger/enter", {**RECEIPT, "shown": "A" * 43}, session=operator)
    assert "Enter this?" in text_of(other)
    told.enter(received(1, at=ms(2026, 5), shipment="x"))
    forged = door.post(
        "/ledger/enter", {**RECEIPT, "kind": "licence-granted", "shown": "x"}, session=operator
    )
    assert forged.status_code == 403
    assert door.post("/ledger/check", {"kind": "unheard"}, session=operator).status_code == 404


@pytest.mark.parametrize(
    "answer",
    [
        (SHIPMENT, "received", ["AWB-1", "vendor-x", "SRV-8\nSRV-9</textarea>", "unit:HGX-H100-8"]),
        (SHIPMENT, "receipt-difference", ['value="johor"']),
        (SHIPMENT, "confirmed", ["<option selected>consignee"]),
        (
            RmaOut(
                occurred_at_ms=ms(2026, 5),
                site="johor",
                vendor="vendor-x",
                case="C-1",
                lines=received(2).lines,
            ),
            "rma-in",
            ["C-1", "vendor-x"],
        ),
        (
            Stored(
                occurred_at_ms=ms(2026, 5),
                site="johor",
                place="cage 1",
                seal="S-1",
                lines=received(2).lines,
            ),
            "unstored",
            ['value="johor"'],
        ),
    ],
)
def test_an_answer_starts_from_the_page_of_its_event(
    door: Door, operator: str, told: Scene, answer: Answer
) -> None:
    """Filled with what the event says."""
    first, step, typed = answer
    told.enter(first)
    key = event_id(first)
    page = door.page(f"/events/{key}", session=operator)
    address = f"/ledger/new/{step}?to={key}"

    assert address in page.text
    form = door.page(address, session=operator).text
    assert key in form
    assert all(text in form for text in typed)


def test_an_operator_is_offered_no_word_of_others(door: Door, operator: str, told: Scene) -> None:
    """The vendor's side is the vendor's, or its paper that an auditor accepts."""
    rma = RmaOut(
        occurred_at_ms=ms(2026, 5), site="johor", vendor="vendor-x", case="C",
        lines=received(2).lines,
    )  # fmt: skip
    told.enter(rma)
    address = f"/ledger/new/confirmed?to={event_id(rma)}"
    assert address not in door.page(f"/events/{event_id(rma)}", session=operator).text
    assert address in door.page(f"/events/{event_id(rma)}").text
    said = {
        "kind": "confirmed", "confirms": event_id(rma), "role": "vendor", "party": "vendor-x",
        "happened": "2026-05-02",
    }  # fmt: skip
    assert "not-yours-to-enter" in text_of(sent(door, operator, said))
    auditor = door.log_in(door.token(Role.AUDITOR))
    paper = {**said, "accepted_document": "ab" * 32}
    assert "H100-SXM5-80GB 8 6 -2" in text_of(sent(door, auditor, paper))
    assert entered(door, auditor, paper).status_code == 303


def test_sites_and_licences_are_declared_by_an_administrator(door: Door, told: Scene) -> None:
    """By forms of their own."""
    office = door.log_in(door.token(Role.ADMINISTRATOR))
    parties = {
        f"{who}-{name}": text
        for who in ("operator", "consignee", "ultimate_parent")
        for name, text in (("id", "acme"), ("name", "Acme"), ("headquarters", "MY"))
    }
    site = {"kind": "site-declared", "id": "batam", "name": "Batam", "country": "ID",
            "happened": "2026-05-01", **parties}  # fmt: skip
    assert told.now_ms
    assert "unknown-country" in beside(sent(door, office, {**site, "country": "XX"}), "country")
    assert "malformed-event" in beside(sent(door, office, {**site, "id": "Batam!"}), "id")
    assert entered(door, office, site).status_code == 303
    licence = {
        "kind": "licence-granted", "issuer": "BIS", "number": "D-9", "type": "licence",
        "consignee": "acme", "sites": "batam", "valid_from": "2026-01-01",
        "valid_to": "2026-12-31", "source-sha256": "ab" * 32, "happened": "2026-05-01",
        "line-1-sku": H100, "line-1-amount": "64", "line-1-unit": "pieces",
    }  # fmt: skip
    page = sent(door, office, {**licence, "line-1-amount": "some"})
    assert "quantity-not-integer" in text_of(page)
    assert entered(door, office, licence).status_code == 303


def test_a_line_is_added_without_a_script(door: Door, operator: str) -> None:
    """The form comes back with one more, and keeps what was typed."""
    page = door.post("/ledger/check", {**RECEIPT, "action": "more"}, session=operator)

    assert page.status_code == 200
    assert 'name="line-2-model"' in page.text
    assert "S1\nS2</textarea>" in page.text


def test_a_file_is_tried_row_by_row_and_entered_as_a_whole(door: Door, operator: str) -> None:
    """A bad row keeps all out; a good file is confirmed on the page that tried it."""
    head = b"kind,happened,site,sku,serial\n"
    good = head + b"received,2026-03-01,johor,%s,S1\n" % H100.encode()
    bad = good + b"received,2026-03-01,johor,H900,<i>S2\n"
    page = door.post("/ledger/import/check", {}, session=operator, file=("in.csv", bad))
    assert page.status_code == 422
    assert "<i>" not in page.text
    assert "3 serial" in text_of(page)
    tried = door.post("/ledger/import/check", {}, session=operator, file=("in.csv", good))
    assert "nothing is wrong" in text_of(tried)
    assert len(door.read("/events")["items"]) == 5
    packed = re.search(r'name="packed" value="([^"]+)"', tried.text)
    assert packed is not None
    form = {"packed": packed[1], "name": "in.csv"}
    done = door.post("/ledger/import/enter", form, session=operator)
    assert "1 event entered, from 1 row" in text_of(done)
    assert "holds all of it already" in text_of(
        door.post("/ledger/import/enter", form, session=operator)
    )


@pytest.mark.parametrize("packed", ["", "!", "eJw", "AAAA"])
def test_a_file_that_does_not_come_back_whole_is_refused(
    door: Door, operator: str, packed: str
) -> None:
    """What the page carried is read anew, and bounded."""
    answer = door.post("/ledger/import/enter", {"packed": packed}, session=operator)

    assert answer.status_code == 400


def test_an_upload_without_a_file_is_refused(door: Door, operator: str) -> None:
    """In words."""
    assert door.post("/ledger/import/check", {}, session=operator).status_code == 400


def test_a_receipt_of_more_than_was_shipped_is_booked(
    door: Door, operator: str, told: Scene
) -> None:
    """It is there; that it is more than was declared is found, not refused."""
    told.enter(SHIPMENT)
    form = {
        **RECEIPT,
        "answers": event_id(SHIPMENT),
        "line-1-model": "unit:HGX-H100-8",
        "line-1-names": "SRV-8\nSRV-9\nSRV-10",
    }
    assert "H100-SXM5-80GB 8 32 +24" in text_of(sent(door, operator, form))
