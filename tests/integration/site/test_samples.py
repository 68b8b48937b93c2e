"""Samples over HTTP: commit, draw, count, conclude; who may, and what is refused."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest

from chipledger_book.counts.population import Population, digest_of
from chipledger_book.counts.sampling import Plan, Sample, commitment_of, draw
from chipledger_server.usecases.access import Role
from chipledger_testing.book import ms, received
from chipledger_testing.counting import ASK, AT, SEED, Inspection, counted_site
from chipledger_testing.door import Door
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import HOUR, Scene


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Inspection]:
    """Return an inspection of a site of ten booked chips, eight of which report."""
    scene = Scene(tmp_path)
    host = counted_site(scene)
    yield Inspection(door=Door(scene), host=host)
    scene.close()


def test_the_population_is_every_booked_and_every_seen_chip(at: Inspection) -> None:
    """Ten chips: eight that report, two that are only on paper, at G0."""
    made = at.plans(split=["grade"])

    assert (made["plan"]["chips"], made["states"]) == (10, {"present": 8, "unaccounted": 2})
    assert [(one["grade"], one["chips"]) for one in made["plan"]["strata"]] == [
        ("G0", 2),
        ("G1", 8),
    ]


def test_a_plan_is_tried_without_a_trace(at: Inspection) -> None:
    """A dry run gives the sizes by both formulas and writes nothing."""
    answer = at.sends("", dict(ASK), dry_run="true").json()

    assert answer["committed"] is False
    whole = answer["plan"]["whole"]
    assert whole["exact"] <= whole["short"]
    assert whole["achieved_ppm"] >= 950_000
    assert at.door.read(AT)["items"] == []


def test_the_commitment_stands_in_the_log_before_the_draw(at: Inspection) -> None:
    """One record names plan, population and commitment; the draw's record comes after it."""
    made = at.plans()
    at.draws()
    at.door.scene.sequence()

    items = at.door.read("/log", limit=200)["items"]
    said = [
        msgspec.json.decode(one["record"])
        for one in items
        if one["record"] and b"sample-" in one["record"].encode()
    ]
    assert [one["action"] for one in said] == ["sample-planned", "sample-drawn"]
    assert said[0]["subject"] == said[1]["subject"] == made["plan"]["digest"]
    assert said[0]["detail"]["commitment"] == commitment_of(SEED)
    assert said[0]["detail"]["population"] == made["plan"]["population"]
    assert said[1]["detail"]["seed"] == SEED.hex()


def test_whoever_has_the_documents_repeats_the_draw(at: Inspection) -> None:
    """Population, plan and seed give the sample, byte for byte."""
    at.plans()
    shown = at.draws()

    files = {
        name: at.door.ask(f"{AT}/{at.id}/documents/{name}").content
        for name in ("population", "plan", "sample")
    }
    population = msgspec.json.decode(files["population"], type=Population)
    plan = msgspec.json.decode(files["plan"], type=Plan)
    sample = msgspec.json.decode(files["sample"], type=Sample)
    assert draw(plan, population, bytes.fromhex(shown["seed"])) == sample
    assert digest_of(plan) == at.id
    assert [one["unit"] for one in shown["units"]] == [one.unit.id for one in sample.units]


def code_of(answer: object) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]


def test_another_seed_than_the_one_committed_to_is_refused(at: Inspection) -> None:
    """And nothing is drawn by it."""
    at.plans()

    answer = at.sends(f"/{at.id}/draw", {"seed": bytes(32).hex()})

    assert code_of(answer) == (409, "commitment-mismatch")
    assert at.shown()["sample"]["stage"] == "planned"


def test_a_plan_is_drawn_once(at: Inspection) -> None:
    """A second draw is refused, with the right seed too."""
    at.plans()
    at.draws()

    answer = at.sends(f"/{at.id}/draw", {"seed": SEED.hex()})

    assert code_of(answer) == (409, "already-drawn")


def test_a_seed_serves_one_plan(at: Inspection) -> None:
    """Its commitment is used up, whatever the other plan asks."""
    at.plans()

    answer = at.sends("", {**ASK, "hole": {"by": "chips", "amount": 2}})

    assert code_of(answer) == (409, "commitment-used")


def test_a_draw_without_a_plan_in_the_log_is_refused(at: Inspection) -> None:
    """There is nothing to draw from before a commitment."""
    answer = at.sends("/nothing/draw", {"seed": SEED.hex()})

    assert code_of(answer) == (404, "unknown-sample")


def test_a_changed_population_is_drawn_only_if_somebody_says_so(at: Inspection) -> None:
    """The draw stays from the frozen list, and the reason stands beside it."""
    at.plans()
    at.door.scene.now_ms += HOUR
    at.door.scene.enter(received(2, at=ms(2026, 3), shipment="late"))
    at.answers()

    refused = at.sends(f"/{at.id}/draw", {"seed": SEED.hex()})
    assert code_of(refused) == (409, "population-changed")
    assert "2 came, 0 went" in refused.json()["detail"]

    drawn = at.draws(population_changed="a delivery came in the meantime")
    assert drawn["population_change"] == "2 came, 0 went: a delivery came in the meantime"
    assert drawn["sample"]["plan"]["chips"] == 10


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("step", ["", "/x/announce", "/x/draw", "/x/count", "/x/conclude"])
def test_only_an_auditor_plans_and_counts(at: Inspection, role: Role, step: str) -> None:
    """Neither who holds the chips nor who runs the collector chooses what is seen."""
    answer = at.sends(step, dict(ASK), role=role)

    assert code_of(answer) == (403, "forbidden")


def test_an_operator_knows_of_a_count_when_the_auditor_says_so(at: Inspection) -> None:
    """That it is coming, and no more; before that it is as unknown as none."""
    at.plans()
    operator = at.door.token(Role.OPERATOR, "johor")
    assert at.door.ask(AT, token=operator).json()["items"] == []
    assert at.door.refused(f"{AT}/{at.id}", token=operator) == (404, "unknown-sample")

    at.sends(f"/{at.id}/announce", {})
    at.draws()

    (item,) = at.door.ask(AT, token=operator).json()["items"]
    assert (item["stage"], item["plan"], item["drawn_ms"]) == ("announced", None, None)
    shown = at.door.ask(f"{AT}/{at.id}", token=operator).json()
    assert (shown["units"], shown["seed"]) == ([], None)
    assert at.door.refused(f"{AT}/{at.id}/sheet", token=operator) == (403, "forbidden")


def test_records_of_a_count_are_not_shown_to_an_operator(at: Inspection) -> None:
    """The log shows them that something was decided, not what."""
    at.plans()
    at.door.scene.sequence()

    log = at.door.ask("/log", token=at.door.token(Role.OPERATOR, "johor"), limit=200).text

    assert "sample-planned" not in log


def seen_units(at: Inspection) -> list[str]:
    """Return the drawn chips that a host reports."""
    return [one["unit"] for one in at.shown()["units"] if one["unit"].startswith("chip-")]


def test_a_scanned_label_awaits_an_answer(at: Inspection) -> None:
    """No chip counts before it was heard after the draw, though its host reported before."""
    at.plans()
    at.draws()

    found = at.counts(at.sheet())

    assert (found["verdict"], found["counted"]) == ("incomplete", 0)
    assert {one["challenge"] for one in found["found"]} == {"awaiting"}
    assert code_of(at.concludes()) == (409, "answers-awaited")


def test_a_fresh_report_after_the_draw_answers_for_its_chips(at: Inspection) -> None:
    """By its host's word, grade G1, with the token that says so."""
    at.plans()
    at.draws()
    at.answers()

    units = at.shown()["units"]

    for one in units:
        heard = one["answer"]
        if one["unit"].startswith("chip-"):
            assert (heard["by"], heard["grade"]) == ("host-report", "G1")
            assert heard["host"] == at.host.id
            assert one["challenge"] == "answered"
        else:
            assert heard is None


def test_dummy_labels_are_no_evidence(at: Inspection) -> None:
    """Labels scanned of chips that no host shows stay without an answer and become defects."""
    at.plans(hole={"by": "chips", "amount": 1}, confidence_ppm=999_999)
    at.draws()
    at.answers()
    found = at.counts(at.sheet())
    papers = [one for one in found["found"] if one["planned_grade"] == "G0"]
    assert len(papers) == 2
    assert not any(one["counts"] for one in papers)
    assert (found["counted"], found["verdict"]) == (8, "incomplete")

    at.door.scene.now_ms += 25 * HOUR
    found = at.shown()["count"]

    assert found["verdict"] == "defects"
    assert "2 seen without evidence" in " ".join(found["words"])
    assert found["bound"] == 2


def test_the_four_piles_say_what_is_known_of_each(at: Inspection) -> None:
    """Found, elsewhere, unknown, missing: nothing that was scanned is dropped."""
    scene = at.door.scene
    other = scene.host("penang", "two", at=ms(2026, 2))
    scene.seen(other, chip_of("two", 0), since=scene.now_ms - 60_000)
    at.plans(hole={"by": "chips", "amount": 1}, confidence_ppm=999_999)
    at.draws()
    at.answers()

    def fill(row: dict[str, str]) -> None:
        if row["unit"] == "chip-1":
            row["outcome"] = row["scanned"] = ""
            row["remark"] = "empty slot"
        elif row["unit"] == "chip-2":
            row["seen_at"] = "the yard"
        elif row["unit"] == "chip-3":
            row["outcome"], row["scanned"] = "refused", ""

    columns = at.sheet().splitlines()[6].split(",")
    extra = {"outcome": "seen", "scanned": str(chip_of("two", 0).uuid), "seen_at": "rack 9"}
    stray = {"outcome": "seen", "scanned": "FAKE-1", "seen_at": "rack 9"}
    more = [",".join(one.get(name, "") for name in columns) for one in (extra, stray)]

    found = at.counts(at.sheet(fill, *more))

    assert len(found["found"]) == 7
    assert [one["seen_at"] for one in found["elsewhere"]] == [["the yard"]]
    assert sorted((one["outcome"], one["remarks"]) for one in found["missing"]) == [
        ("missing", ["empty slot"]),
        ("refused", []),
    ]
    known = {one["scanned"]: one["known"] for one in found["unknown"]}
    assert "at penang" in known[str(chip_of("two", 0).uuid)]
    assert known["FAKE-1"] == "no host ever reported this name"


def test_a_sheet_is_tried_without_a_trace(at: Inspection) -> None:
    """A dry run shows the piles and keeps nothing."""
    at.plans()
    at.draws()

    at.counts(at.sheet(), dry_run="true")

    assert at.shown()["sheets"] == []


def test_a_wrong_sheet_is_refused_with_every_problem(at: Inspection) -> None:
    """By row, and nothing of it is taken."""
    at.plans()
    at.draws()

    def fill(row: dict[str, str]) -> None:
        row["outcome"] = "perhaps"

    answer = at.sends(f"/{at.id}/count", at.sheet(fill))

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert {one["code"] for one in answer.json()["problems"]} == {"unknown-outcome"}
    assert at.shown()["sheets"] == []


def test_the_statement_becomes_an_event_of_the_ledger(at: Inspection) -> None:
    """An auditor's, with the plan's digest, the chips that count, and what it is worth."""
    at.plans(hole={"by": "chips", "amount": 1}, confidence_ppm=999_999)
    at.draws()
    at.answers()
    at.counts(at.sheet())
    at.door.scene.now_ms += 25 * HOUR

    made = at.concludes()
    again = at.concludes()

    assert made.status_code == HTTPStatus.OK, made.text
    assert again.json() == {**made.json(), "known_before": True}
    shown = at.shown()
    assert (shown["event"], shown["inspector"]) == (made.json()["id"], "Ines Pector")
    event = at.door.read(f"/events/{shown['event']}")
    body = str(event)
    assert "physical-inventory" in body
    assert at.id in body
    assert "2 seen without evidence" in body


def test_what_is_concluded_is_shown_to_the_operator_and_stays(at: Inspection) -> None:
    """The result is both sides' to read; another sheet is refused."""
    at.plans()
    at.draws()
    at.answers()
    at.counts(at.sheet())
    at.door.scene.now_ms += 25 * HOUR
    at.concludes()

    operator = at.door.token(Role.OPERATOR, "johor")
    shown = at.door.ask(f"{AT}/{at.id}", token=operator).json()

    assert shown["count"]["drawn"] == len(shown["units"]) > 0
    late = at.sends(f"/{at.id}/count", at.sheet())
    assert code_of(late) == (409, "already-concluded")


def test_an_answer_from_another_site_is_none(at: Inspection) -> None:
    """The chip was scanned here and reports elsewhere: one of both is a copy."""
    at.plans(hole={"by": "chips", "amount": 1}, confidence_ppm=999_999)
    at.draws()
    scene = at.door.scene
    scene.now_ms += 1000
    other = scene.host("penang", "two", at=ms(2026, 2))
    scene.seen(other, chip_of("one", 0), since=scene.now_ms)

    (away,) = [one for one in at.shown()["units"] if one["elsewhere"]]

    assert away["elsewhere"] == f"{other.id} at penang"
    assert (away["answer"], away["challenge"]) == (None, "awaiting")


def test_the_collector_makes_a_seed_and_says_it_once(at: Inspection) -> None:
    """For who has no seed at hand; who made it stands beside the plan for ever."""
    made = at.plans(commitment=None)

    assert commitment_of(bytes.fromhex(made["seed"])) == made["plan"]["commitment"]
    assert at.shown()["seed"] is None
    assert at.draws(bytes.fromhex(made["seed"]))["seed_by"] == "collector"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"hole": {"by": "chips", "amount": 11}}, "hole-out-of-bounds"),
        ({"confidence_ppm": 1_000_000}, "confidence-out-of-bounds"),
        ({"commitment": "abc"}, "invalid-parameter"),
        ({"answer_within_ms": 1}, "invalid-parameter"),
        ({"hole": {"by": "luck", "amount": 1}}, "invalid-parameter"),
        ({"more": 1}, "invalid-parameter"),
    ],
)
def test_a_plan_that_is_none_is_refused(at: Inspection, said: dict[str, object], code: str) -> None:
    """With a stable code, and nothing in the log."""
    answer = at.sends("", {**ASK, **said})

    assert code_of(answer) == (400, code)
    assert at.door.read(AT)["items"] == []
