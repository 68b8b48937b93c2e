"""Findings as cases, through the doors that people use: what is hated elsewhere does not happen."""

import csv
import io
import json

import msgspec
import pytest
from litestar.testing import TestClient

from chipledger_book.cases import Action, Case, CaseRole, Step, apply
from chipledger_book.terms import Severity
from chipledger_testing.casework import PAPER, SITE, Casework
from chipledger_testing.door import Door
from chipledger_testing.scene import HOUR, Scene

DAY = 24 * HOUR


@pytest.fixture
def work(scene: Scene, door: Door) -> Casework:
    """Return an empty database with people before it."""
    return Casework(scene, door)


def accepted(work: Casework, key: str) -> None:
    """Bring a heavy finding to accepted, by everybody it takes."""
    work.done("olga", key, "explain")
    work.done("ada", key, "accept")
    work.done("bert", key, "confirm")


# Dependency-Track: every change is an event; exports carry all; automatic closing is recorded.


def test_every_change_is_an_event_with_who_when_what_why(work: Casework) -> None:
    """Nothing changes a finding without a record of it in its trail."""
    key = work.opened()
    work.done("olga", key, "acknowledge")
    work.done("olga", key, "explain", reason="in repair")
    work.done("ada", key, "reject", reason="no RMA number")
    work.done("root", key, "comment", reason="asked the vendor")
    found = work.trail(key)
    assert [step["action"] for step in found] == [
        *("opened", "acknowledge", "explain", "reject", "comment"),
    ]
    assert [step["by"] for step in found] == ["collector", "olga", "olga", "ada", "root"]
    assert found[2]["reason"] == "in repair"
    assert found[2]["evidence"] == [PAPER]
    assert [step["at_ms"] for step in found] == sorted(step["at_ms"] for step in found)


def test_an_export_drops_nothing_and_says_what_was_asked(work: Casework) -> None:
    """Accepted, closed and resolved findings are in it, with who decided, when and why."""
    kept = work.opened(start="a")
    accepted(work, kept)
    closed = work.opened(Severity.LOW, start="b")
    work.done("ada", closed, "close", reason="counted by hand", evidence=[PAPER])
    gone = work.opened(start="c")
    work.ended(gone)
    whole = json.loads(work.door.ask("/exports/findings.json").content)
    assert whole["state"] == "all"
    assert whole["population"] == "all findings about every site"
    assert {one["finding"]["id"]: one["finding"]["state"] for one in whole["items"]} == {
        kept: "accepted",
        closed: "closed",
        gone: "resolved",
    }
    rows = list(csv.DictReader(io.StringIO(work.door.ask("/exports/findings.csv").text)))
    decided = next(row for row in rows if row["finding"] == closed and row["action"] == "close")
    assert (decided["by"], decided["reason"]) == ("ada", "counted by hand")
    assert decided["evidence"] == PAPER["sha256"]
    assert {row["filter_state"] for row in rows} == {"all"}


def test_who_wants_a_part_of_an_export_says_so(work: Casework) -> None:
    """The filter is a field of its own, and stands in the answer."""
    settled, waiting = work.opened(start="a"), work.opened(start="b")
    work.ended(settled)
    whole = json.loads(work.door.ask("/exports/findings.json", state="attention").content)
    assert (whole["state"], [one["finding"]["id"] for one in whole["items"]]) == (
        "attention",
        [waiting],
    )
    assert work.door.refused("/findings", state="suppressed") == (400, "invalid-parameter")


def test_no_cell_of_an_export_is_a_formula(work: Casework) -> None:
    """What somebody wrote as a reason is text, in a spreadsheet too."""
    key = work.opened()
    work.done("olga", key, "comment", reason="=cmd|' /C calc'!A0")
    assert "\r\n" in work.door.ask("/exports/findings.csv").text
    assert "'=cmd" in work.door.ask("/exports/findings.csv").text


def test_what_nobody_sees_any_more_is_resolved_by_itself_and_that_is_recorded(
    work: Casework,
) -> None:
    """No finding stays for ever because its fact ended, and none goes without a trace."""
    key = work.opened()
    work.ended(key)
    assert work.state(key) == "resolved"
    assert [step["action"] for step in work.trail(key)] == ["opened", "resolved"]
    assert work.door.read("/findings", state="attention")["items"] == []
    assert [one["id"] for one in work.door.read("/findings")["items"]] == [key]


def test_resolved_by_itself_can_be_undone_by_an_auditor(work: Casework) -> None:
    """That a fact ended is not the last word."""
    key = work.opened()
    work.ended(key)
    assert work.done("ada", key, "reopen", reason="the chips were borrowed")["state"] == "open"


# DefectDojo: acceptance has reason, owner and end; facts beat states; nothing is overwritten.


def test_an_acceptance_has_an_end_and_warns_before_it_by_its_date(work: Casework) -> None:
    """Without an end it is refused; with one the finding says when it opens again."""
    key = work.opened()
    work.done("olga", key, "explain")
    assert work.code("ada", key, "accept", expires=None) == (400, "case-expiry-wrong")
    assert work.code("ada", key, "accept", expires="400d") == (400, "case-expiry-wrong")
    work.done("ada", key, "accept", expires="90d")
    found = work.done("bert", key, "confirm")
    assert found["expires_ms"] == work.scene.now_ms - 1000 + 90 * DAY


def test_an_accepted_finding_is_resolved_when_its_fact_ends(work: Casework) -> None:
    """Facts beat states."""
    key = work.opened()
    accepted(work, key)
    work.ended(key)
    assert work.state(key) == "resolved"


def test_an_acceptance_that_has_ended_is_open_before_any_job_has_looked(work: Casework) -> None:
    """Expiry is by time; the record of it comes when it is noticed, and changes nothing."""
    key = work.opened()
    accepted(work, key)
    work.scene.now_ms += 31 * DAY
    before = work.door.read(f"/findings/{key}")
    assert before["state"] == "open"
    assert [one["id"] for one in work.door.read("/findings", state="open")["items"]] == [key]
    work.beat()
    after = work.door.read(f"/findings/{key}")
    assert (after["state"], after["since_ms"]) == ("open", before["since_ms"])
    assert work.trail(key)[-1]["action"] == "expired"
    work.beat()
    assert [step["action"] for step in work.trail(key)].count("expired") == 1


def test_a_step_after_the_end_writes_the_end_down_first(work: Casework) -> None:
    """Who comes before the job leaves the same trail."""
    key = work.opened()
    accepted(work, key)
    work.scene.now_ms += 31 * DAY
    work.done("olga", key, "acknowledge")
    assert [step["action"] for step in work.trail(key)][-2:] == ["expired", "acknowledge"]


def test_opening_again_overwrites_no_date(work: Casework) -> None:
    """The first acceptance stands in the trail with its own times, whatever comes later."""
    key = work.opened()
    accepted(work, key)
    first = work.trail(key)
    work.scene.now_ms += DAY
    work.done("bert", key, "reopen")
    accepted(work, key)
    assert work.trail(key)[: len(first)] == first
    assert work.door.read(f"/findings/{key}")["opened_ms"] == first[0]["at_ms"]


# Two persons, scopes, races, retries.


def test_the_way_of_a_high_finding(work: Casework) -> None:
    """Operator explains, one auditor proposes, another confirms: then it is closed."""
    key = work.opened()
    work.done("olga", key, "acknowledge")
    work.done("olga", key, "explain")
    proposed = work.done("ada", key, "close", reason="counted on site")
    assert (proposed["state"], proposed["pending"]["by"]) == ("explained", "ada")
    assert work.code("ada", key, "confirm") == (403, "case-second-person")
    assert work.code("olga", key, "confirm") == (403, "case-step-forbidden")
    assert work.code("root", key, "confirm") == (403, "case-step-forbidden")
    closed = work.done("bert", key, "confirm")
    assert (closed["state"], closed["ruling"]["confirmed_by"]) == ("closed", "bert")


@pytest.mark.parametrize("action", ["accept", "close", "reject", "confirm", "decline", "reopen"])
def test_an_operator_never_settles(action: str, work: Casework) -> None:
    """Explain, yes; accept, close or overrule, never."""
    key = work.opened(Severity.LOW)
    work.done("olga", key, "explain")
    assert work.code("olga", key, action)[1] == "case-step-forbidden"


def test_a_finding_of_another_site_is_as_unknown_as_none(work: Casework) -> None:
    """Nobody acts outside the own scope, or learns what is there."""
    key = work.opened()
    assert work.code("oscar", key, "acknowledge") == (404, "unknown-finding")
    assert work.code("oscar", "f-none", "acknowledge") == (404, "unknown-finding")
    nowhere = work.opened(subject="acme", site=None, start="group")
    assert work.code("olga", nowhere, "acknowledge") == (404, "unknown-finding")
    assert work.done("ada", nowhere, "close")["pending"]["how"] == "close"


def test_the_second_of_two_sees_what_the_first_has_done(work: Casework) -> None:
    """A decision about what one saw is refused once it is not so any more."""
    key = work.opened(Severity.LOW)
    seen = work.door.read(f"/findings/{key}")["version"]
    work.done("ada", key, "close", version=seen)
    assert work.code("bert", key, "close", version=seen) == (409, "case-changed")
    assert work.code("bert", key, "close") == (409, "case-step-not-possible")


def test_sending_a_request_again_changes_nothing(work: Casework) -> None:
    """A client that got no answer asks again, and one step is in the trail."""
    key = work.opened()
    first = work.done("olga", key, "comment", reason="once", request="r-1")
    again = work.done("olga", key, "comment", reason="once", request="r-1")
    assert first["version"] == again["version"]
    assert [step["action"] for step in work.trail(key)] == ["opened", "comment"]
    assert work.code("olga", key, "comment", reason="other", request="r-1") == (
        409,
        "request-reused",
    )


def test_an_owner_is_somebody_who_may_see_it(work: Casework) -> None:
    """Nobody is made answerable for what is hidden from them."""
    key = work.opened()
    assert work.code("ada", key, "assign", owner="oscar") == (404, "unknown-principal")
    assert work.code("ada", key, "assign", owner="nobody") == (404, "unknown-principal")
    assert work.done("ada", key, "assign", owner="olga")["owner"] == "olga"
    assert [one["id"] for one in work.door.read("/findings", owner="olga")["items"]] == [key]


# Facts open again.


def test_a_fact_that_grows_opens_what_was_settled(work: Casework) -> None:
    """And says so in the trail, with the new severity."""
    key = work.opened(Severity.MEDIUM)
    work.done("ada", key, "close")
    work.grown(key)
    found = work.door.read(f"/findings/{key}")
    assert (found["state"], found["severity"], found["ruling"]) == ("open", "critical", None)
    assert work.trail(key)[-1]["action"] == "grew"


def test_a_fact_that_returns_continues_its_case(work: Casework) -> None:
    """Same id, same trail, one more episode."""
    key = work.opened()
    accepted(work, key)
    work.ended(key)
    work.scene.now_ms += DAY
    assert work.opened() == key
    found = work.door.read(f"/findings/{key}")
    assert (found["state"], found["episodes"], found["present"]) == ("open", 2, True)
    assert work.trail(key)[-1]["action"] == "returned"
    assert len(work.trail(key)) == 6


def test_the_past_shows_the_case_as_it_was(work: Casework) -> None:
    """`as_of` asks for the state of a day; what happened later is not in it."""
    key = work.opened()
    then = work.scene.now_ms
    work.scene.now_ms += DAY
    work.done("olga", key, "acknowledge")
    past = work.door.read(f"/findings/{key}", as_of=then)
    assert (past["state"], work.state(key)) == ("open", "acknowledged")
    assert len(work.door.read(f"/findings/{key}/trail", as_of=then)["items"]) == 1
    assert work.door.read("/findings", as_of=then, state="acknowledged")["items"] == []


def test_who_is_late_is_asked_by_time(work: Casework) -> None:
    """Two business days to acknowledge, ten to explain; then it is on the list of the late."""
    key = work.opened()
    assert work.door.read("/findings", late="true")["items"] == []
    work.scene.now_ms += 5 * DAY
    (one,) = work.door.read("/findings", late="true")["items"]
    assert (one["id"], one["late"], one["duties"][0]["owner"]) == (key, True, "operator")
    work.done("olga", key, "acknowledge")
    assert work.door.read("/findings", late="true")["items"] == []
    work.scene.now_ms += 11 * DAY
    assert [one["id"] for one in work.door.read("/findings", late="true")["items"]] == [key]


def test_the_log_folds_into_what_is_shown(work: Casework) -> None:
    """Every step is a log record of its own type; folded in order they are the case."""
    key = work.opened()
    accepted(work, key)
    with work.scene.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT type, record FROM records WHERE subject = ? ORDER BY pos", (key,)
        ).fetchall()
        (body,) = connection.exec_driver_sql(
            "SELECT body FROM cases WHERE finding = ? AND until_ms IS NULL", (key,)
        ).one()
    kinds = [kind for kind, _ in rows]
    assert kinds == ["finding", "case", "case", "case"]
    folded = apply(
        None,
        Step(
            action=Action.OPENED,
            at=json.loads(rows[0][1])["at"],
            by="collector",
            case=key,
            role=CaseRole.COLLECTOR,
            severity=Severity.HIGH,
        ),
    )
    for _, record in rows[1:]:
        folded = apply(folded, msgspec.json.decode(record, type=Step))
    assert folded == msgspec.json.decode(body, type=Case)


# The screens.


def test_the_queue_shows_what_needs_attention_worst_first(work: Casework) -> None:
    """And counts every other state, so that nothing is out of sight."""
    low, high = work.opened(Severity.LOW, start="a"), work.opened(Severity.CRITICAL, start="b")
    done = work.opened(Severity.LOW, start="c")
    work.done("ada", done, "close")
    page = work.page("ada", "/findings").text
    assert page.index(high) < page.index(low)
    assert done not in page
    assert "closed <b>1</b>" in page
    assert done in work.page("ada", "/findings?state=closed").text


def test_pages_of_the_queue_hold_every_finding_once(work: Casework) -> None:
    """A cursor goes on where the page ended."""
    made = {work.opened(Severity.LOW, start=str(number)) for number in range(53)}
    first = work.page("ada", "/findings").text
    following = first.split('href="')[1:]
    (address,) = {part.split('"')[0] for part in following if "after=" in part.split('"')[0]}
    second = work.page("ada", address.replace("&amp;", "&")).text
    seen = [key for key in made if f"/findings/{key}" in first]
    assert len(seen) == 50
    assert {key for key in made if f"/findings/{key}" in second} == made - set(seen)


def test_a_page_offers_the_steps_its_reader_may_take_and_names_who_may_take_others(
    work: Casework,
) -> None:
    """Nobody has to guess whose turn it is."""
    key = work.opened()
    work.done("olga", key, "explain")
    mine, hers = work.page("olga", f"/findings/{key}").text, work.page("ada", f"/findings/{key}")
    assert 'value="accept"' not in mine
    assert "Accept until a day: an auditor" in mine
    assert 'value="accept"' in hers.text


def test_a_form_takes_files_as_evidence_and_keeps_their_digests(work: Casework) -> None:
    """The page needs no digest by hand: a file is enough."""
    key = work.opened()
    sent = work.form(
        "olga",
        f"/findings/{key}/act",
        {"action": "explain", "reason": "in repair", "expires": "2026-06-30", "version": "1"},
        files=[("papers", ("rma.pdf", b"paper one")), ("papers", ("photo.jpg", b"paper two"))],
    )
    assert (sent.status_code, sent.headers["location"]) == (303, f"/findings/{key}")
    titles = [one["title"] for one in work.trail(key)[-1]["evidence"]]
    assert titles == ["rma.pdf", "photo.jpg"]


def test_a_refused_form_says_why_and_keeps_what_was_typed(work: Casework) -> None:
    """Nothing typed is lost."""
    key = work.opened()
    sent = work.form(
        "olga",
        f"/findings/{key}/act",
        {"action": "explain", "reason": "a long story", "expires": "2026-06-30"},
        files=[("papers", ("", b""))],
    )
    assert sent.status_code == 400
    assert "case-evidence-missing" in sent.text
    assert "a long story" in sent.text
    assert work.state(key) == "open"


def test_many_are_acknowledged_at_once(work: Casework) -> None:
    """One click for the ticked ones; one that has moved on is left alone."""
    keys = [work.opened(start=str(number)) for number in range(3)]
    work.ended(keys[2])
    sent = work.form("olga", "/findings/acknowledge", {"finding": keys, "request": "r"})
    assert sent.status_code == 303
    assert [work.state(key) for key in keys] == ["acknowledged", "acknowledged", "resolved"]


def test_a_form_of_another_origin_is_refused(work: Casework) -> None:
    """A page elsewhere cannot act in somebody's name."""
    key = work.opened()
    cookie = work.door.log_in(work.tokens["ada"])
    with TestClient(work.door.app) as client:
        sent = client.post(
            f"/findings/{key}/act",
            data={"action": "close", "reason": "x"},
            headers={"sec-fetch-site": "cross-site", "cookie": f"chipledger_session={cookie}"},
        )
    assert sent.status_code in {400, 403}
    assert work.state(key) == "open"


def test_filters_go_together(work: Casework) -> None:
    """Severity, type, site, age: what fits all of them."""
    key = work.opened(Severity.LOW, kind="overage", start="x")
    work.opened(Severity.HIGH, start="y")
    work.scene.now_ms += 8 * DAY
    found = work.door.read("/findings", severity="low", type="overage", site=SITE, older="7d")
    assert [one["id"] for one in found["items"]] == [key]
    assert work.door.read("/findings", older="9d")["items"] == []
