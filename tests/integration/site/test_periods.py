"""Closing periods over HTTP: API, pages, forms by role, and reports as files."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from litestar.testing import TestClient

from chipledger_book.periods.document import document_digest
from chipledger_book.reports.making import ReportKind
from chipledger_book.reports.writing import STYLE_SOURCE
from chipledger_server.usecases.access import Role
from chipledger_testing.book import declared, lpp, ms, received, site_of
from chipledger_testing.closing import NAME, closes, freezes
from chipledger_testing.door import Door, text_of
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import Scene

AT = "/sites/johor/periods"
LATE = received(4, at=ms(2026, 3, 5), shipment="=cmd()")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Return the door to a site with eight received chips, four of which report."""
    scene = Scene(tmp_path)
    scene.enter(declared(), declared(site_of("penang")), lpp(), received(8, at=ms(2026, 2)))
    host = scene.host("johor", "one", at=ms(2026, 2))
    scene.seen(host, *(chip_of("one", index) for index in range(4)), since=ms(2026, 2, 2))
    scene.sequence()
    yield Door(scene)
    scene.close()


def days(name: str = NAME) -> dict[str, str]:
    """Return the days of a period as a form sends them."""
    first, last = name.split("..")
    return {"first_day": first, "last_day": last}


def test_the_api_lists_periods_with_their_stage(door: Door) -> None:
    """And whom each waits for."""
    freezes(door.scene)

    page = door.read(AT)

    assert [(one["name"], one["stage"], one["waits_for"]) for one in page["items"]] == [
        (NAME, "frozen", "operator")
    ]


def test_the_document_is_handed_out_byte_for_byte(door: Door) -> None:
    """Its digest is the one that is signed."""
    made = freezes(door.scene)

    answer = door.ask(f"{AT}/{NAME}/document")

    assert document_digest(answer.content) == made.digest
    assert door.read(f"{AT}/{NAME}")["period"]["documents"][0]["digest"] == made.digest


@pytest.mark.parametrize("path", [f"{AT}/2025-01-01..2025-06-30", f"{AT}/{NAME}/document"])
def test_what_was_never_frozen_is_not_found(door: Door, path: str) -> None:
    """With a code of its own."""
    answer = door.ask(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-period")


@pytest.mark.parametrize("path", [f"{AT}/march", "/reports/poem?site=johor&period=" + NAME])
def test_what_is_no_period_or_report_is_refused(door: Door, path: str) -> None:
    """With what to write instead."""
    answer = door.ask(path)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")


@pytest.mark.parametrize("kind", ReportKind)
@pytest.mark.parametrize("form", ["csv", "json", "html"])
def test_every_report_comes_in_every_format(door: Door, kind: ReportKind, form: str) -> None:
    """From the API, twice the same bytes."""
    closes(door.scene)
    asked = {"site": "johor", "period": NAME, "format": form}

    one, other = (door.ask(f"/reports/{kind}", **asked) for _ in range(2))

    assert one.status_code == HTTPStatus.OK, one.text
    assert one.content == other.content
    assert f"{kind}.{form}" in one.headers["content-disposition"]


def test_the_page_of_a_report_may_have_its_style_and_nothing_else(door: Door) -> None:
    """The policy names the style by its hash; scripts stay forbidden."""
    closes(door.scene)

    answer = door.ask("/reports/in-out", site="johor", period=NAME, format="html")

    policy = answer.headers["content-security-policy"]
    assert STYLE_SOURCE in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def test_due_reports_are_listed_with_their_day(door: Door) -> None:
    """Both calendars, for every site the reader may see."""
    found = door.read("/reports/due")

    assert {"2026-07-15", "2026-08-01"} <= {one["due_on"] for one in found["items"]}
    assert {one["site"] for one in found["items"]} == {"johor", "penang"}


def test_an_operator_is_told_of_its_own_sites_alone(door: Door) -> None:
    """What is due elsewhere is not its business, nor is a roll-up over other sites."""
    token = door.token(Role.OPERATOR, "johor")

    due = door.ask("/reports/due", token=token).json()
    whole = door.ask("/reports/group-share", token=token, site="johor", period=NAME)
    other = door.ask("/sites/penang/periods", token=token)

    assert {one["site"] for one in due["items"]} == {"johor"}
    assert (whole.status_code, whole.json()["code"]) == (403, "outside-scope")
    assert other.status_code == HTTPStatus.FORBIDDEN


def sessions(door: Door) -> tuple[str, str]:
    """Return the sessions of an operator of the site and of an auditor."""
    return door.log_in(door.token(Role.OPERATOR, "johor")), door.log_in(door.token(Role.AUDITOR))


def digest_shown(page: str) -> str:
    """Return the digest that the form of a page would sign."""
    found = re.search(r'name="digest" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def test_two_people_close_a_period_by_forms(door: Door) -> None:
    """Freeze, sign as operator, sign as auditor; each page says what is next."""
    operator, auditor = sessions(door)
    made = door.post(f"{AT}/freeze", days(), session=operator)
    assert (made.status_code, made.headers["location"]) == (303, f"{AT}/{NAME}")

    page = door.page(f"{AT}/{NAME}", session=operator)
    assert "An operator of the site has not signed." in text_of(page)
    door.scene.now_ms += 1000
    door.post(f"{AT}/sign", {"digest": digest_shown(page.text)}, session=operator)
    page = door.page(f"{AT}/{NAME}", session=auditor)
    assert "An auditor, another person than the operator, has not signed." in text_of(page)
    door.scene.now_ms += 1000
    done = door.post(f"{AT}/sign", {"digest": digest_shown(page.text)}, session=auditor)

    assert done.status_code == HTTPStatus.SEE_OTHER, done.text
    shown = text_of(door.page(f"{AT}/{NAME}", session=auditor))
    assert "What stands in the way" not in shown
    assert "a session entry, no signature" in shown


@pytest.mark.parametrize(("role", "shown"), [(Role.OPERATOR, True), (Role.AUDITOR, False)])
def test_the_form_to_sign_is_for_whose_turn_it_is(door: Door, role: Role, *, shown: bool) -> None:
    """Who is not asked sees no button."""
    freezes(door.scene)
    page = door.page(f"{AT}/{NAME}", session=sessions(door)[role is Role.AUDITOR])

    assert ("Sign off as" in page.text) is shown


@pytest.mark.parametrize("form", ["freeze", "sign"])
def test_a_form_from_elsewhere_is_refused(door: Door, form: str) -> None:
    """A page of another origin freezes and signs nothing."""
    session = sessions(door)[0]
    with TestClient(door.app) as client:
        answer = client.post(
            f"{AT}/{form}",
            data=days(),
            headers={"cookie": f"chipledger_session={session}", "sec-fetch-site": "cross-site"},
        )

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert door.read(AT)["items"] == []


def test_an_operator_of_another_site_freezes_nothing_here(door: Door) -> None:
    """Outside its scope."""
    other = door.log_in(door.token(Role.OPERATOR, "penang"))

    answer = door.post(f"{AT}/freeze", days(), session=other)

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "outside-scope" in answer.text or "may not read" in answer.text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("2026-05-01..2026-12-31", 400, "no period that is over"),
        ("2026-03-31..2026-04-30", 409, "shares days"),
        ("2026-04-02..2026-05-31", 400, "would belong to no period"),
    ],
)
def test_a_period_that_does_not_follow_is_refused_in_words(
    door: Door, name: str, status: int, words: str
) -> None:
    """Not over, overlapping, or with days between that nobody explains."""
    freezes(door.scene)

    answer = door.post(f"{AT}/freeze", days(name), session=sessions(door)[0])

    assert answer.status_code == status
    assert words in text_of(answer)


def test_a_late_event_is_shown_and_restated_by_a_form(door: Door) -> None:
    """The page names the event, takes the reason, and then shows both numbers."""
    closes(door.scene)
    door.scene.enter(LATE)
    operator, _ = sessions(door)
    before = door.page(f"{AT}/{NAME}", session=operator)
    assert "came after it was closed" in text_of(before)
    assert "has to be restated" in text_of(door.page(f"{AT}/{NAME}", session=operator))

    door.scene.now_ms += 1000
    made = door.post(f"{AT}/freeze", {**days(), "reason": "late paper"}, session=operator)

    assert made.status_code == HTTPStatus.SEE_OTHER, made.text
    shown = text_of(door.page(f"{AT}/{NAME}", session=operator))
    assert "received was 8, is 12 (+4)" in shown
    assert "restatement 1" in shown
    assert "late paper" in shown


@pytest.mark.parametrize("form", ["csv", "json", "html"])
def test_reports_are_downloads_of_the_page(door: Door, form: str) -> None:
    """Every link of the table leads to a file."""
    closes(door.scene)

    for kind in ("current-inventory", "in-out", "incident-notice"):
        answer = door.page(f"{AT}/{NAME}/reports/{kind}.{form}")
        assert answer.status_code == HTTPStatus.OK, answer.text


def test_receipts_under_the_exception_bring_their_notices(door: Door) -> None:
    """The copy for each, and the notice of the receipt that exhausted it; on the page too."""
    (last,) = door.scene.enter(received(1_700, at=ms(2026, 5)))
    door.scene.sequence()

    found = [one for one in door.read("/reports/due")["items"] if one["duty"].startswith("lpp")]
    page = text_of(door.page("/reports"))

    assert [(one["duty"], one["due_on"]) for one in found] == [
        ("lpp-shipment-copy", "2026-03-03"),
        ("lpp-limit-reached", "2026-05-01"),
        ("lpp-shipment-copy", "2026-05-31"),
    ]
    assert {one["basis"] for one in found} == {"BIS LPP-1"}
    assert found[1]["event"] == found[2]["event"] == last.id
    assert "LPP TPP Limit Reached" in page


def test_the_reports_page_lists_what_is_due(door: Door) -> None:
    """With the day, and who owes it."""
    shown = text_of(door.page("/reports"))

    assert "2026-07-15" in shown
    assert "us-reporting" in shown


def test_the_past_shows_a_period_as_it_stood(door: Door) -> None:
    """Before the auditor signed it was signed by the operator alone."""
    made = closes(door.scene)
    known_at = made.known_at_ms + 1000

    shown = door.read(f"{AT}/{NAME}", known_at=str(known_at), as_of=str(known_at))

    assert shown["period"]["stage"] == "signed"


OF_A_PERIOD = (
    f"/api/v1{AT}/{NAME}",
    f"/api/v1{AT}/{NAME}/document",
    "/api/v1/reports/in-out",
    f"{AT}/{NAME}",
    f"{AT}/{NAME}/document",
    f"{AT}/{NAME}/reports/in-out.csv",
)


@pytest.mark.parametrize("path", OF_A_PERIOD)
@pytest.mark.parametrize(
    ("role", "site", "status"),
    [
        (Role.AUDITOR, "", 200),
        (Role.ADMINISTRATOR, "", 200),
        (Role.OPERATOR, "johor", 200),
        (Role.OPERATOR, "penang", 403),
        (None, "", 401),
    ],
)
def test_who_may_read_what_was_frozen(
    door: Door, path: str, role: Role | None, site: str, status: int
) -> None:
    """Auditors and administrators all of it, an operator its own site, nobody else anything."""
    closes(door.scene)
    token = "" if role is None else door.token(role, *([site] if site else []))

    if path.startswith("/api/v1"):
        asked = {"site": "johor", "period": NAME} if "reports" in path else {}
        answer = door.ask(path.removeprefix("/api/v1"), token=token, **asked)
    else:
        answer = door.page(path, session=door.log_in(token) if token else "")

    gone = answer.status_code == HTTPStatus.SEE_OTHER and "/login" in answer.headers["location"]
    assert answer.status_code == status or (gone and status == HTTPStatus.UNAUTHORIZED)
