"""The door by which a file of events is entered: all of it or nothing, by who may."""

from typing import Any, Final

import pytest
from httpx import Response

from chipledger_book.events import ByBoard, event_id
from chipledger_server.usecases.access import Role
from chipledger_testing.book import H100, declared, ms, party, received, site_of
from chipledger_testing.door import Door
from chipledger_testing.scene import Scene

IMPORTS: Final = "/ledger/imports"
HEAD: Final = "kind,happened,site,shipment,sku,serial,pieces\n"


@pytest.fixture
def enter(scene: Scene, door: Door) -> Any:  # noqa: ANN401 - a function
    """Return what sends a table as a principal, Johor's operator if none is named."""
    scene.enter(declared(), declared(site_of("muar", owner=party("newco"))))

    def send(body: str | bytes, role: Role = Role.OPERATOR, **asked: str) -> Response:
        sites = ("johor",) if role is Role.OPERATOR else ()
        return door.send(IMPORTS, body, token=door.token(role, *sites), **asked)

    return send


def test_an_operator_enters_what_its_site_received(enter: Any, door: Door) -> None:  # noqa: ANN401
    """The events stand in the ledger, entered by that principal as the operator, in a session."""
    done = enter(HEAD + f"received,2026-03-01,johor,A,{H100},S1,\n").json()

    (key,) = done["entered"]
    record = door.read(f"/events/{key}")["record"]
    (said,) = record["statements"]
    assert (said["role"], said["party"], said["strength"]) == ("operator", "acme", "session")


def test_a_dry_run_writes_nothing_and_says_the_same(enter: Any, door: Door) -> None:  # noqa: ANN401
    """The ids it would enter are those that entering gives."""
    table = HEAD + f"received,2026-03-01,johor,A,{H100},S1,\n"
    tried = enter(table, dry_run="true").json()

    assert len(door.read("/events")["items"]) == 2
    assert tried["dry_run"] is True
    assert enter(table).json()["entered"] == tried["entered"]


def test_one_bad_row_keeps_all_out(enter: Any, door: Door) -> None:  # noqa: ANN401
    """Every problem is listed by row and column, with what to do; nothing was entered."""
    answer = enter(
        HEAD
        + f"received,2026-03-01,johor,A,{H100},S1,\n"
        + f"received,2026-03-01,elsewhere,A,{H100},S2,\n"
        + f"received,2036-03-01,johor,B,{H100},S3,\n"
        + "received,2026-03-01,johor,C,H900,S4,\n"
    )

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [(one["row"], one["column"], one["code"]) for one in answer.json()["problems"]] == [
        (3, "site", "not-yours-to-enter"),
        (3, "site", "unknown-site"),
        (4, "happened", "event-in-future"),
        (5, "sku", "unknown-sku"),
    ]
    assert all(one["hint"] for one in answer.json()["problems"])
    assert len(door.read("/events")["items"]) == 2


def test_sending_it_again_changes_nothing_and_says_so(enter: Any, door: Door) -> None:  # noqa: ANN401
    """The same ids are known."""
    table = HEAD + f"received,2026-03-01,johor,A,{H100},,4\n"
    first = enter(table).json()
    second = enter(table).json()

    assert second["known"] == first["entered"]
    assert second["entered"] == []
    assert len(door.read("/events")["items"]) == 3


@pytest.mark.parametrize(
    ("role", "row"),
    [
        (Role.OPERATOR, f"received,2026-03-01,muar,A,{H100},S1,"),
        (Role.AUDITOR, f"received,2026-03-01,johor,A,{H100},S1,"),
        (Role.OPERATOR, f"shipment-declared,2026-03-01,johor,A,{H100},S1,"),
        (Role.ADMINISTRATOR, f"physical-inventory,2026-03-01,johor,,{H100},S1,"),
    ],
)
def test_nobody_enters_what_is_anothers_to_say(enter: Any, role: Role, row: str) -> None:  # noqa: ANN401
    """Not of a foreign site, not the shipper's word, not an auditor's count."""
    columns = HEAD.replace("pieces", "pieces,shipper,inspector,method")
    more = {"shipment-declared": "vendor-x,,", "physical-inventory": ",ada,full"}
    answer = enter(columns + row + "," + more.get(row.split(",", maxsplit=1)[0], ",,") + "\n", role)

    assert answer.status_code == 422
    assert "not-yours-to-enter" in [one["code"] for one in answer.json()["problems"]]


def test_an_operator_corrects_its_own_events_only(enter: Any, scene: Scene) -> None:  # noqa: ANN401
    """What stands at another site is not its to correct."""
    own, foreign = received(1), received(2, site="muar")
    scene.enter(own, foreign)
    body = b"\n".join(
        b'{"type":"correction","occurred_at_ms":%d,"corrects":"%s","reason":"wrong"}'
        % (ms(2026, 4), event_id(one).encode())
        for one in (own, foreign)
    )
    answer = enter(body, kind="application/x-ndjson")

    assert [(one["row"], one["code"]) for one in answer.json()["problems"]] == [
        (2, "not-yours-to-enter")
    ]


def test_a_body_that_is_too_large_or_of_no_known_kind_is_refused(enter: Any) -> None:  # noqa: ANN401
    """413 and 415, as problem documents."""
    assert enter(b"x" * (32 * 1024 * 1024 + 1)).json()["code"] == "oversize"
    assert enter(b"x", kind="application/pdf").json()["code"] == "unsupported-media-type"
    assert enter("x", dry_run="maybe").status_code == 400


def test_what_came_in_between_counts(scene: Scene, door: Door) -> None:
    """A file is held to the ledger as it is when it is written, not as it was when it was read."""
    scene.enter(declared())
    token = door.token(Role.OPERATOR, "johor")
    table = HEAD + f"received,2026-03-01,johor,A,{H100},S1,\n"
    assert door.send(IMPORTS, table, token=token, dry_run="true").json()["problems"] == []
    scene.enter(received(ByBoard(sku=H100, serials=("S1",)), at=ms(2026, 2)))

    answer = door.send(IMPORTS, table, token=token)

    assert [one["code"] for one in answer.json()["problems"]] == ["serial-already-received"]
    assert [one["row"] for one in answer.json()["problems"]] == [2]
