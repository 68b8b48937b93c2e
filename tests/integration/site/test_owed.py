"""Who is late also holds what is owed about findings: to acknowledge, explain and decide."""

from typing import Any

import pytest

from chipledger_testing.book import declared, site_of
from chipledger_testing.casework import Casework
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

DAY = 86_400_000
MONTH = 30 * DAY


@pytest.fixture
def work(scene: Scene, door: Door) -> Casework:
    """Return two sites with people before them."""
    scene.enter(declared(site_of("johor")), declared(site_of("penang")))
    return Casework(scene, door)


def owed(work: Casework, **asked: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401 - parameters
    """Return kind, finding and owner of everything that is listed."""
    items = work.door.read("/waits", **asked)["items"]
    return [(one["kind"], one["finding"], one["owner"] or one["owner_role"]) for one in items]


def test_a_finding_waits_for_the_operator_and_then_for_an_auditor(work: Casework) -> None:
    """Who owes, what, about which finding; what is done is listed as ended."""
    key = work.opened()
    assert owed(work) == [("acknowledgement", key, "operator"), ("explanation", key, "operator")]

    work.done("olga", key, "acknowledge")
    work.done("olga", key, "explain")
    assert owed(work, state="running") == [("decision", key, "auditor")]
    assert [kind for kind, *_ in owed(work, state="ended")] == ["acknowledgement", "explanation"]


def test_what_is_owed_becomes_late(work: Casework) -> None:
    """With by how much; the terms are those of the finding's own page."""
    key = work.opened()
    assert owed(work, state="overdue") == []

    work.scene.now_ms += MONTH
    late = work.door.read("/waits", state="overdue")["items"]
    duties = work.door.read(f"/findings/{key}")["duties"]
    assert [one["due_ms"] for one in late] == [duty["due_ms"] for duty in duties]
    assert all(one["late_ms"] == work.scene.now_ms - one["due_ms"] for one in late)
    said = text_of(work.page("olga", "/late?state=overdue"))
    assert "acknowledge the finding: missing" in said
    assert key in work.page("olga", "/late").text


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ({"owner": "operator"}, ["johor", "johor", "penang", "penang"]),
        ({"owner": "operator", "site": "penang"}, ["penang", "penang"]),
        ({"owner": "auditor"}, []),
        ({"state": "ended"}, []),
    ],
)
def test_filters_hold_for_what_is_owed(
    asked: dict[str, str], listed: list[str], work: Casework
) -> None:
    """By who must act and by site."""
    work.opened()
    work.opened(subject="penang", site="penang")

    assert sorted(one["site"] for one in work.door.read("/waits", **asked)["items"]) == listed


def test_what_is_owed_by_a_named_person_is_found_by_the_name(work: Casework) -> None:
    """An administrator names who answers."""
    key = work.opened()
    work.done("root", key, "assign", owner="olga")

    assert {one for _, one, _ in owed(work, owner="olga")} == {key}


def test_nobody_sees_what_is_owed_at_a_site_that_is_not_theirs(work: Casework) -> None:
    """The same findings as in the queue."""
    work.opened()
    theirs = work.door.ask("/waits", token=work.tokens["oscar"]).json()

    assert theirs["items"] == []


def test_a_settled_finding_is_owed_by_nobody(work: Casework) -> None:
    """When its fact ends nothing has to be explained."""
    key = work.opened()
    work.scene.now_ms += DAY
    work.ended(key)

    assert owed(work) == []


def test_pages_hold_each_of_them_once(work: Casework) -> None:
    """In the order in which they are due, whatever their kind."""
    for subject in ("johor", "penang"):
        work.opened(subject=subject, site=subject)
    whole = owed(work)
    first = work.door.read("/waits", limit=3)
    second = work.door.read("/waits", limit=3, cursor=first["next"])

    paged = [(one["kind"], one["finding"]) for one in (*first["items"], *second["items"])]
    assert paged == [(kind, key) for kind, key, _ in whole]
    assert len({*paged}) == 4


def test_what_was_owed_at_another_time_is_known(work: Casework) -> None:
    """Of one site, beside the steps of its ledger."""
    key = work.opened()
    began = work.scene.now_ms
    work.scene.now_ms += MONTH
    then = work.door.read("/sites/johor/waits", as_of=began)["items"]
    now = work.door.read("/sites/johor/waits")["items"]

    assert [one["late_ms"] for one in then if one["finding"] == key] == [0, 0]
    assert all(one["late_ms"] for one in now if one["finding"] == key)
