"""The read-only API: what it answers, page by page, and what it refuses."""

import hashlib
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from sqlalchemy import text

from chipledger_book.events import LedgerRecord, event_id
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.entry import entry_hash
from chipledger_server.adapters.database import for_writing
from chipledger_server.domain.findings import Kind, finding_id
from chipledger_server.usecases.access import Role
from chipledger_testing.book import declared, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.hosts import chip_of
from chipledger_testing.johor import FOREIGN, SITE, Johor
from chipledger_testing.scene import HOUR, Scene


def walk(door: Door, path: str, limit: int = 2, **parameters: str) -> list[Any]:
    """Return every item of a collection, page by page."""
    items: list[Any] = []
    cursor = ""
    while True:
        page = door.read(path, limit=limit, **({"cursor": cursor} if cursor else parameters))
        items += page["items"]
        cursor = page["next"]
        if not cursor:
            return items


@pytest.mark.parametrize(
    "path",
    [
        *("/sites", "/hosts", "/chips", "/findings", "/events", "/log"),
        *(f"/sites/{SITE}/hosts", f"/sites/{SITE}/devices"),
    ],
)
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_put_together_are_the_whole(path: str, limit: int, johor: Johor) -> None:
    """Nothing twice, nothing left out, whatever the size of a page."""
    whole = johor.door.read(path, limit=1000)

    assert whole["next"] is None
    assert walk(johor.door, path, limit) == whole["items"]


def test_the_chain_of_a_host_goes_page_by_page(scene: Scene, door: Door) -> None:
    """Newest number first; the gap stays a gap."""
    scene.enter(declared())
    host = scene.host("johor", "a")
    for skip in (0, 0, 2, 0):
        scene.token_of(host, scene.now_ms, skip=skip)

    links = walk(door, f"/hosts/{host.id}/chain", 1)
    assert [link["seq"] for link in links] == [6, 5, 2, 1]


def test_an_insert_between_two_pages_moves_nothing(scene: Scene, door: Door) -> None:
    """The second page continues the list that the first page began."""
    scene.enter(declared(), received(1), received(2), received(3))
    before = door.read("/events")["items"]
    first = door.read("/events", limit=2)
    scene.now_ms += HOUR
    scene.enter(received(4), declared(site_of("aaa")))

    second = door.read("/events", limit=2, cursor=first["next"])
    assert [*first["items"], *second["items"]] == before


TOO_LARGE = b64url_encode(b'["chips",1,1,[%d]]' % 2**64)


@pytest.mark.parametrize("cursor", ["", "abc", "!!!", "W10", "bnVsbA", "A" * 5000, TOO_LARGE])
def test_text_that_is_no_cursor_is_refused(cursor: str, johor: Johor) -> None:
    """With its own code, never with a failure of ours."""
    assert johor.door.refused("/chips", cursor=cursor) == (400, "invalid-cursor")


def test_a_cursor_of_another_collection_is_refused(johor: Johor) -> None:
    """A place among hosts is no place among chips."""
    cursor = johor.door.read("/hosts", limit=1)["next"]

    assert johor.door.refused("/chips", cursor=cursor) == (400, "invalid-cursor")


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "many"},
        {"as_of": "yesterday"},
        {"as_of": "2026-03-01T12:00:00"},
        {"as_of": "2999-01-01"},
        {"known_at": "-1"},
    ],
    ids=str,
)
def test_malformed_parameters_have_a_code(parameters: dict[str, str], johor: Johor) -> None:
    """A limit out of bounds; a time that is none, has no zone, or lies in the future."""
    assert johor.door.refused("/hosts", **parameters) == (400, "invalid-parameter")


@pytest.mark.parametrize(
    ("path", "name", "near"),
    [
        ("/findings", "sites", "site"),
        ("/hosts", "as-of", "as_of"),
        ("/sites/johor-1/balance", "knownat", "known_at"),
        ("/chips", "uuid", None),
        ("/me", "limit", None),
        ("/log/4", "cursor", None),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused(
    path: str, name: str, near: str | None, johor: Johor
) -> None:
    """A misspelt filter would otherwise answer with everything, and look like an answer."""
    assert johor.door.refused(path, **{name: "x"}) == (400, "unknown-parameter")
    problem = johor.door.ask(path, **{name: "x"}).json()
    assert name in problem["detail"]
    assert (f"did you mean {near}?" in problem["hint"]) is (near is not None)


def test_who_asks_is_decided_before_what_is_asked(johor: Johor) -> None:
    """A stranger is not told which parameters there are."""
    assert johor.door.refused("/hosts", token="", hots="x") == (401, "unauthenticated")


def test_times_may_be_written_in_three_ways(johor: Johor) -> None:
    """A day is looked at at its end; an instant and milliseconds are exact."""
    asked = ("2026-03-05", "2026-03-05T23:59:59.999Z", "1772755199999")
    answers = {johor.door.read("/hosts", as_of=text)["as_of_ms"] for text in asked}

    assert answers == {1772755199999}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/sites/nowhere", "unknown-site"),
        ("/sites/nowhere/balance", "unknown-site"),
        ("/hosts/h-none", "unknown-host"),
        ("/hosts/h-none/chain", "unknown-host"),
        ("/chips/999999", "unknown-chip"),
        (f"/chips/{2**64}", "unknown-chip"),
        (f"/log/{2**64}", "unknown-log-entry"),
        ("/findings/f-none", "unknown-finding"),
        ("/events/none", "unknown-event"),
        ("/log/999999", "unknown-log-entry"),
        ("/nothing", "not-found"),
    ],
)
def test_what_does_not_exist_has_a_code(path: str, code: str, johor: Johor) -> None:
    """Each kind of thing its own."""
    assert johor.door.refused(path) == (404, code)


def test_the_api_only_reads(johor: Johor) -> None:
    """Another method on its paths is refused with a problem document."""
    with TestClient(johor.door.app) as client:
        answer = client.delete(
            "/api/v1/hosts",
            headers={"authorization": f"Bearer {johor.door.token(Role.AUDITOR)}"},
        )

    assert answer.status_code == 405
    assert answer.json()["code"] == "method-not-allowed"


def test_who_is_unknown_is_told_how_to_be_known(johor: Johor) -> None:
    """401 says which scheme to use."""
    answer = johor.door.ask("/me", token="")

    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_chip_is_found_by_every_name(johor: Johor) -> None:
    """PDI, UUID and board serial lead to the same chip."""
    chip = johor.chips["good"][3]
    found = [
        [one["id"] for one in johor.door.read("/chips", name=name)["items"]]
        for name in (chip.pdi, chip.uuid, chip.serial)
        if name is not None
    ]

    assert found == [[johor.scene.chip_id(chip)]] * 3


def test_a_chip_tells_its_life(johor: Johor) -> None:
    """Where it was seen, newest first, and whose claim does not count."""
    chip = johor.scene.chip_id(johor.chips["good"][0])
    detail = johor.door.read(f"/chips/{chip}")

    assert [one["run"]["host"] for one in detail["sightings"]] == [
        johor.hosts["twin"].id,
        johor.hosts["good"].id,
    ]
    assert detail["disputes"][0]["kept_host"] == johor.hosts["good"].id
    assert (detail["standing"], detail["host"]) == ("present", johor.hosts["good"].id)
    assert (detail["sku"], detail["tpp"], detail["grade"]) == ("H100-SXM5-80GB", 15832, "G1")


def test_a_driver_upgrade_that_adds_the_pdi_names_the_chip_by_both(
    scene: Scene, door: Door
) -> None:
    """The older sighting is of the same chip, and the device shows the PDI learnt later."""
    scene.enter(declared())
    host = scene.host("johor", "a")
    named = chip_of("a", 0)
    old = msgspec.structs.replace(named, pdi=None)
    scene.seen(host, named, since=scene.now_ms - 2 * HOUR, until=scene.now_ms - HOUR)
    scene.seen(host, old, since=scene.now_ms)

    devices = door.read(f"/hosts/{host.id}")["devices"]
    assert [device["pdi"] for device in devices] == [named.pdi]


def test_an_event_is_shown_as_it_stands_in_the_log(johor: Johor) -> None:
    """The record is the ledger's own struct, its event has the id it is asked for by."""
    shown = johor.door.read(f"/events/{johor.events['servers']}")
    record = msgspec.convert(shown["record"], LedgerRecord)

    assert event_id(record.event) == johor.events["servers"]
    assert record.statements[0].strength == "session"
    assert record.statements[0].principal == "local:0"


def test_an_entry_of_the_log_proves_its_record(johor: Johor) -> None:
    """Record and salt give the digest, the entry gives the leaf, for every entry."""
    entries = johor.door.read("/log", limit=1000)["items"]

    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    for entry in entries:
        salted = b64url_decode(entry["salt"]) + entry["record"].encode()
        digest = b64url_encode(hashlib.sha256(salted).digest())
        assert msgspec.json.decode(entry["entry"])["digest"] == digest
        assert b64url_encode(entry_hash(entry["entry"].encode())) == entry["leaf"]


def test_an_operator_gets_records_of_its_own_site_alone(johor: Johor) -> None:
    """The entries are for everybody who may enter; record and salt are not."""
    token = johor.door.token(Role.OPERATOR, FOREIGN)
    entries = johor.door.ask("/log", token=token, limit=1000).json()["items"]
    whole = johor.door.read("/log", limit=1000)["items"]

    assert [entry["leaf"] for entry in entries] == [entry["leaf"] for entry in whole]
    shown = [entry for entry in entries if entry["record"] is not None]
    assert shown
    assert all(entry["salt"] is not None for entry in shown)
    assert all(SITE not in entry["record"] for entry in shown)


def test_an_operator_is_not_told_whose_claim_competes(scene: Scene, door: Door) -> None:
    """That a chip is claimed elsewhere is what it has to explain; by whom is not."""
    scene.enter(declared(), declared(site_of("muar")))
    here, there = scene.host("johor", "here"), scene.host("muar", "there")
    chip = chip_of("c", 0)
    scene.seen(here, chip, since=scene.now_ms)
    scene.seen(there, chip, since=scene.now_ms)
    scene.dispute(chip, loser=here, keeper=there, since=scene.now_ms)
    detail = {
        "disputed_host": here.id,
        "disputed_site": "johor",
        "kept_host": there.id,
        "kept_site": "muar",
        "chips": [f"NVIDIA H100 ({chip.uuid})"],
        "ids": [scene.chip_id(chip)],
        "more": False,
    }
    finding = scene.finding(
        "duplicate-identity",
        key=finding_id(Kind.DUPLICATE_IDENTITY, here.id, there.id),
        site="johor",
        host=here.id,
        detail=msgspec.json.encode(detail),
    )
    token = door.token(Role.OPERATOR, "johor")
    for path in (f"/chips/{scene.chip_id(chip)}", f"/findings/{finding}", "/findings"):
        answer = door.ask(path, token=token)
        assert answer.status_code == 200
        assert there.id not in answer.text
        assert "muar" not in answer.text
    assert there.id in door.ask(f"/findings/{finding}").text
    page = door.page(f"/chips/{scene.chip_id(chip)}", session=door.log_in(token))
    assert f"/findings/{finding}" in page.text
    assert "on another host at another site" in text_of(page)


def test_a_finding_comes_with_words_and_innocent_explanations(johor: Johor) -> None:
    """An auditor reads a sentence, and what else could explain it."""
    finding = johor.door.read(f"/findings/{johor.findings['silent-host']}")

    assert finding["words"].endswith(".")
    assert finding["innocent"]


def test_a_finding_was_open_before_it_was_resolved(scene: Scene, door: Door) -> None:
    """Its state is that of the time that is looked at."""
    scene.enter(declared())
    opened = scene.now_ms
    scene.finding("silent-host", site="johor", opened_ms=opened, resolved_ms=opened + HOUR)
    scene.now_ms += 2 * HOUR

    assert [one["state"] for one in door.read("/findings")["items"]] == ["resolved"]
    then = door.read("/findings", as_of=opened + 1, state="open")["items"]
    assert [one["resolved_ms"] for one in then] == [None]
    assert door.read("/findings", as_of=opened - 1)["items"] == []


def test_no_flood_of_findings_hides_a_worse_one(scene: Scene, door: Door) -> None:
    """However many a cheat makes at its own site: every site keeps its count and its worst."""
    scene.enter(declared(), declared(site_of("penang")))
    scene.finding("log-conflict", severity="critical", site="johor", opened_ms=scene.now_ms - HOUR)
    row = scene.finding("chain-fork", severity="high", site="penang")
    for name in ("johor", "penang"):
        with for_writing(scene.engine).begin() as connection:
            connection.execute(
                text(
                    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
                    " WHERE i < 10001) INSERT INTO findings (id, type, severity, state, site,"
                    " opened_ms, seen_ms, times, detail) SELECT id || :site || i, 'clock-odd',"
                    " 'low', state, :site, opened_ms, seen_ms, times, detail FROM findings, n"
                    " WHERE id = :row"
                ),
                {"row": row, "site": name},
            )

    sites = {site["id"]: site for site in door.read("/sites")["items"]}
    assert (sites["johor"]["worst"], sites["johor"]["findings"]) == ("critical", 10_002)
    assert (sites["penang"]["worst"], sites["penang"]["findings"]) == ("high", 10_002)
    assert "critical" in text_of(door.page("/sites/johor"))


def test_every_table_says_where_it_comes_from(johor: Johor) -> None:
    """Source, status, version and digest, the same as the balance names."""
    tables = johor.door.read("/rules")["items"]
    used = johor.door.read(f"/sites/{SITE}/balance")["report"]["tables"]

    assert all(table["source"] for table in tables)
    members = ("id", "version", "digest", "status")
    held = [[table[name] for name in members] for table in tables if table["holds"]]
    assert all([table[name] for name in members] in held for table in used)
