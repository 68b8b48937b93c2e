"""Closing a period over the API, and by parties' own keys."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest
from httpx import Response

from chipledger_book.movements import SignedOff
from chipledger_book.signing import SigningRole
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.keys import Signer
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.periods.closing import Freezing, freeze
from chipledger_server.usecases.refusals import Refusal
from chipledger_testing.book import declared, ms, received, site_of
from chipledger_testing.closing import NAME, OLGA, QUARTER, desk, freezes, hand
from chipledger_testing.door import Door
from chipledger_testing.keys import SeededSigner
from chipledger_testing.scene import Scene
from chipledger_testing.signing import OPERATOR, signed_file

AT = "/sites/johor/periods"
SIGN = f"{AT}/{NAME}/sign-off"
JSON = "application/json"
DAYS = {"first_day": "2026-01-01", "last_day": "2026-03-31"}
AUDITOR = SeededSigner("an auditor's key")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Return the door to a site with eight received chips."""
    scene = Scene(tmp_path)
    scene.enter(declared(), declared(site_of("penang")), received(8, at=ms(2026, 2)))
    scene.sequence()
    yield Door(scene)
    scene.close()


def send(door: Door, path: str, role: Role, *sites: str, **body: Any) -> Response:  # noqa: ANN401 - JSON
    """Send something as a principal of a role; time goes on by a second."""
    door.scene.now_ms += 1000
    scope = sites or (("johor",) if role is Role.OPERATOR else ())
    token = door.token(role, *scope)
    return door.send(path, msgspec.json.encode(body), token=token, kind=JSON)


def frozen(door: Door) -> str:
    """Freeze the quarter over the API; return the digest of its document."""
    made = send(door, AT, Role.OPERATOR, **DAYS)
    assert made.status_code == HTTPStatus.CREATED, made.text
    return str(made.json()["period"]["documents"][0]["digest"])


def stage(door: Door) -> str:
    """Return where the quarter stands."""
    return str(door.read(f"{AT}/{NAME}")["period"]["stage"])


def test_a_period_is_frozen_signed_and_closed_with_tokens(door: Door) -> None:
    """Each step answers with where the period stands; the words are entries of a session."""
    digest = frozen(door)
    first = send(door, SIGN, Role.OPERATOR, digest=digest).json()["period"]
    second = send(door, SIGN, Role.AUDITOR, digest=digest).json()["period"]

    assert (first["stage"], first["waits_for"]) == ("signed", "auditor")
    assert (second["stage"], second["waits_for"]) == ("closed", None)
    words = second["documents"][0]["signatures"]
    assert [(one["role"], one["strength"]) for one in words] == [
        ("operator", "session"),
        ("auditor", "session"),
    ]


def test_a_closed_period_is_restated_with_a_reason(door: Door) -> None:
    """Without one it stands as it is."""
    digest = frozen(door)
    for role in (Role.OPERATOR, Role.AUDITOR):
        assert send(door, SIGN, role, digest=digest).is_success
    door.scene.enter(received(4, at=ms(2026, 3, 5)))
    without = send(door, AT, Role.OPERATOR, **DAYS)
    made = send(door, AT, Role.OPERATOR, **DAYS, reason="late paper")

    assert (without.status_code, without.json()["code"]) == (409, "period-already-frozen")
    assert made.json()["period"]["documents"][0]["restatement"] == 1
    assert made.json()["reason"] == "late paper"


@pytest.mark.parametrize(
    ("path", "role", "sites", "body", "status", "code"),
    [
        (AT, Role.OPERATOR, ("penang",), DAYS, 403, "outside-scope"),
        (SIGN, Role.OPERATOR, ("penang",), {"digest": "D"}, 403, "outside-scope"),
        (SIGN, Role.ADMINISTRATOR, (), {"digest": "D"}, 403, "forbidden"),
        (SIGN, Role.AUDITOR, (), {"digest": "D"}, 409, "sign-off-out-of-order"),
        (SIGN, Role.OPERATOR, (), {"digest": "A" * 43}, 404, "unknown-period"),
        (f"{AT}/2026-02-01..2026-03-31/sign-off", Role.OPERATOR, (), {"digest": "D"}, 404,
         "unknown-period"),
        (AT, Role.OPERATOR, (), {**DAYS, "last_day": "2026-12-31"}, 400, "period-wrong"),
        (AT, Role.OPERATOR, (), {**DAYS, "extra": 1}, 400, "invalid-parameter"),
        (AT, Role.OPERATOR, (), {"first_day": "2026-13-01"}, 400, "invalid-parameter"),
    ],
)  # fmt: skip
def test_what_the_forms_refuse_the_api_refuses(  # noqa: PLR0917 - one row a case
    door: Door,
    path: str,
    role: Role,
    sites: tuple[str, ...],
    body: dict[str, str],
    status: int,
    code: str,
) -> None:
    """Scope, role, order, days and digest, each with its code."""
    digest = frozen(door)
    asked = {name: digest if value == "D" else value for name, value in body.items()}
    answer = send(door, path, role, *sites, **asked)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert stage(door) == "frozen"


def test_nobody_closes_without_a_token(door: Door) -> None:
    """As every door that changes something."""
    answer = door.send(AT, msgspec.json.encode(DAYS), token="clp_nobody", kind=JSON)

    assert answer.status_code == HTTPStatus.UNAUTHORIZED


def let_in(door: Door, signer: Signer, party: str, role: SigningRole) -> None:
    """Register a party's key, by two people."""
    new = {
        "jwk": msgspec.json.decode(encode_canonical(signer.public.jwk)),
        "party": party,
        "roles": [role],
        "sites": ["johor"],
        "valid_from_ms": ms(2026),
        "reason": "letter",
    }
    made = send(door, "/party-keys", Role.ADMINISTRATOR, **new)
    assert made.status_code == HTTPStatus.OK, made.text
    proposal = made.json()["id"]
    assert send(door, f"/party-keys/{proposal}/approval", Role.AUDITOR).is_success


def signs(door: Door, digest: str, signer: Signer, *, party: str, role: SigningRole) -> Response:
    """Send a sign-off that a party made with its own key."""
    door.scene.now_ms += 1000
    at_ms = door.scene.now_ms
    event = SignedOff(
        occurred_at_ms=at_ms,
        site="johor",
        first_day=QUARTER[0],
        last_day=QUARTER[1],
        role="auditor" if role == "auditor" else "operator",
        balance=digest,
    )
    data = signed_file(event, signer, role=role, party=party, at_ms=at_ms)
    token = door.token(Role.AUDITOR)
    return door.send("/ledger/events", data, token=token, kind=JSON)


def test_sign_offs_by_parties_own_keys_close_a_period(door: Door) -> None:
    """Operator and auditor each with a key; nobody's account speaks for them."""
    made = freezes(door.scene, days=(date(2026, 1, 1), date(2026, 3, 31)))
    let_in(door, OPERATOR, "acme", "operator")
    let_in(door, AUDITOR, "assay-office", "auditor")
    first = signs(door, made.digest, OPERATOR, party="acme", role="operator")
    after_first = stage(door)
    second = signs(door, made.digest, AUDITOR, party="assay-office", role="auditor")
    shown = door.read(f"{AT}/{NAME}")["period"]

    assert (first.status_code, after_first) == (201, "signed"), first.text
    assert (second.status_code, shown["stage"]) == (201, "closed"), second.text
    words = shown["documents"][0]["signatures"]
    assert [(one["role"], one["strength"], one["principal"]) for one in words] == [
        ("operator", "party-key", OPERATOR.public.kid),
        ("auditor", "party-key", AUDITOR.public.kid),
    ]


def test_one_key_is_one_person_in_both_roles(door: Door) -> None:
    """The same key lets a period wait for somebody else."""
    made = freezes(door.scene)
    let_in(door, OPERATOR, "acme", "operator")
    signs(door, made.digest, OPERATOR, party="acme", role="operator")
    signs(door, made.digest, OPERATOR, party="acme", role="auditor")

    assert stage(door) == "signed"


def test_the_auditor_may_sign_in_a_session_after_a_key_of_the_operator(door: Door) -> None:
    """Strengths mix; each is shown."""
    made = freezes(door.scene)
    let_in(door, OPERATOR, "acme", "operator")
    signs(door, made.digest, OPERATOR, party="acme", role="operator")
    closed = send(door, SIGN, Role.AUDITOR, digest=made.digest).json()["period"]

    assert closed["stage"] == "closed"
    words = closed["documents"][0]["signatures"]
    assert [one["strength"] for one in words] == ["party-key", "session"]


def test_a_document_that_is_too_large_is_refused_and_kept_nowhere(door: Door) -> None:
    """With its size, the bound and what to do."""
    small = replace(desk(door.scene), most_bytes=1_000)
    ask = Freezing(site="johor", first_day=QUARTER[0], last_day=QUARTER[1])
    with pytest.raises(Refusal) as caught:
        freeze(ask, small, hand(door.scene, OLGA), OLGA)

    assert caught.value.code == "period-too-large"
    assert "at most 1,000 are kept" in caught.value.detail
    assert door.read(AT)["items"] == []
