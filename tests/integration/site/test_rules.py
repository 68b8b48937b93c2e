"""Tables of rules over HTTP and on the screens: who reads, who proposes, who approves."""

import json
from typing import Any

import pytest

from chipledger_book import shipped
from chipledger_book.licences import LicenceLine, QuantityUnit
from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.access import Role
from chipledger_testing.book import declared, licence, party, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene

NEW = "2026-11-24.1"
WAY = "/rules/proposals"


def changed() -> dict[str, Any]:
    """Return the rules of January 2025 as a new version that asks Malaysia for no licence."""
    table: dict[str, Any] = json.loads(encode_canonical(shipped.rule_set_2025()))
    table["head"]["version"] = NEW
    table["domestic"] = ["MY", "US"]
    return table


def send(door: Door, path: str, token: str, **body: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return status and answer of a request that changes something."""
    answer = door.send(path, json.dumps(body), token=token, kind="application/json")
    return answer.status_code, answer.json()


def proposed(door: Door) -> str:
    """Let an administrator propose the new version; return the proposal."""
    admin = door.token(Role.ADMINISTRATOR)
    status, made = send(door, WAY, admin, table=changed(), reason="law of today")
    assert status == 201, made
    return str(made["id"])


@pytest.fixture
def johor(scene: Scene, door: Door) -> Door:
    """Return the door of a collector with one site without a licence."""
    scene.enter(declared(), received(8))
    return door


def verdict(door: Door, **asked: str | int) -> str:
    """Return the authorisation of the site."""
    return str(door.read("/sites/johor/balance", **asked)["report"]["authorisation"])


def test_every_version_is_listed_and_can_be_read(door: Door) -> None:
    """With its state here, and its content as the digest covers it."""
    page = door.read("/rules")
    held = {item["id"]: item for item in page["items"] if item["holds"]}

    assert page["adopted"] == "us-diffusion-2025"
    assert {item["state"] for item in held.values()} == {"shipped"}
    assert len(held) == len(shipped.newest())
    one = door.read("/rules/tables/us-destination-2026")
    assert one["content"]["head"]["id"] == "us-destination-2026"
    assert one["table"]["digest"] == held["us-destination-2026"]["digest"]
    assert door.refused("/rules/tables/nothing") == (404, "unknown-table")


def test_a_balance_is_asked_under_another_rule_set(johor: Door) -> None:
    """And a rule set that there is not is refused."""
    assert verdict(johor) == "not-authorised"
    assert verdict(johor, rules="us-destination-2026") == "not-required"
    assert johor.refused("/sites/johor/balance", rules="no") == (404, "unknown-table")


def test_two_people_change_the_rules_over_http(scene: Scene, johor: Door) -> None:
    """The first proposes, the second approves; the first cannot."""
    scene.now_ms += 60_000
    proposal = proposed(johor)
    way = f"{WAY}/{proposal}/approve"
    assert send(johor, way, johor.token(Role.ADMINISTRATOR))[1]["code"] == "same-person"
    assert send(johor, way, johor.token(Role.OPERATOR, "johor"))[1]["code"] == "forbidden"

    status, done = send(johor, way, johor.token(Role.AUDITOR))

    assert (status, done["approved"]) == (201, True)
    assert verdict(johor) == "not-required"
    assert verdict(johor, known_at=done["decided_ms"] - 1) == "not-authorised"


def test_what_waits_is_no_version_to_be_asked(johor: Door) -> None:
    """Until it is approved it is only to be looked at."""
    proposed(johor)

    name = f"us-diffusion-2025@{NEW}"
    assert johor.refused("/sites/johor/balance", rules=name) == (409, "table-not-approved")
    found = johor.read("/rules/diff", before="us-diffusion-2025", after=name)
    assert [row["member"] for row in found["rows"]] == ["domestic", "head"]


def test_a_proposal_is_declined_with_a_reason(johor: Door) -> None:
    """And cannot be decided again."""
    proposal = proposed(johor)
    auditor = johor.token(Role.AUDITOR)

    assert send(johor, f"{WAY}/{proposal}/decline", auditor, reason="no")[0] == 201
    assert send(johor, f"{WAY}/{proposal}/approve", auditor)[1]["code"] == "already-decided"
    assert verdict(johor) == "not-authorised"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": "x"}, 400, "invalid-parameter"),
        ({"reason": "x", "adopt": "nothing"}, 404, "unknown-table"),
        ({"reason": "x", "adopt": "chips"}, 404, "unknown-table"),
        ({"reason": "x", "shipped": "chips@1"}, 404, "unknown-table"),
        ({"reason": "x", "table": {"head": {}}}, 400, "malformed-table"),
    ],
)
def test_a_wrong_proposal_is_refused(
    door: Door, body: dict[str, Any], status: int, code: str
) -> None:
    """With a stable code; nothing is kept."""
    found, problem = send(door, WAY, door.token(Role.ADMINISTRATOR), **body)

    assert (found, problem["code"]) == (status, code)
    assert door.read("/rules")["proposals"] == []


def test_limits_per_country_add_up_the_sites_one_may_see(scene: Scene, johor: Door) -> None:
    """A licence of a site outside the scope is not in the sum that an operator reads."""
    line = LicenceLine(amount=1000, unit=QuantityUnit.TPP)
    other = party("other", "QA")
    scene.enter(licence("D-1", line), declared(site_of("doha", country="QA", owner=other)))
    scene.enter(licence("D-2", line, consignee="other"))
    operator = johor.token(Role.OPERATOR, "johor")

    everything = johor.read("/rules/countries")["items"]
    own = johor.ask("/rules/countries", token=operator).json()["items"]
    assert [(use["of"], use["used"]) for use in everything] == [("MY", 1000), ("QA", 1000)]
    assert [(use["of"], use["used"]) for use in own] == [("MY", 1000)]


def test_the_page_shows_what_waits_and_lets_the_second_person_decide(johor: Door) -> None:
    """Who proposed it sees no button; who may approves with one."""
    proposal = proposed(johor)
    first = johor.log_in(johor.token(Role.ADMINISTRATOR))
    second = johor.log_in(johor.token(Role.AUDITOR))
    operator = johor.log_in(johor.token(Role.OPERATOR, "johor"))

    for session, may in ((first, False), (second, True), (operator, False)):
        page = johor.page("/rules", session=session)
        assert "law of today" in page.text
        assert ('value="approve"' in page.text) is may
    where = f"/rules/proposals/{proposal}"
    refused = johor.post(where, {"decision": "approve"}, session=first)
    assert refused.status_code == 403
    done = johor.post(where, {"decision": "approve"}, session=second)

    assert done.status_code == 303
    said = text_of(johor.page("/rules", session=second))
    assert "Waiting for a second person" not in said
    assert f"{NEW} holds" in said
    change = johor.page(
        f"/rules/diff?before=us-diffusion-2025@{shipped.rule_set_2025().head.version}"
        f"&after=us-diffusion-2025@{NEW}",
        session=second,
    )
    assert "MY" in text_of(change)


@pytest.mark.parametrize(
    "name", sorted(name for kind, name in shipped.newest() if kind == "rule-set")
)
def test_every_rule_set_has_a_page_and_a_verdict_of_a_site(johor: Door, name: str) -> None:
    """Tiers, limits, conditions and duties are shown with their source."""
    page = johor.page(f"/rules?rules={name}")
    site = johor.page(f"/sites/johor?rules={name}")

    assert (page.status_code, site.status_code) == (200, 200)
    assert f"Under {name}" in text_of(site)
