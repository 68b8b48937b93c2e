"""The page of parties' keys: what waits, what holds, and who may decide."""

from typing import Any

import msgspec
import pytest

from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.access import Role
from chipledger_testing.book import declared
from chipledger_testing.door import Door, text_of
from chipledger_testing.scene import Scene
from chipledger_testing.signing import OPERATOR, VENDOR

KID = OPERATOR.public.kid


@pytest.fixture
def proposal(scene: Scene, door: Door) -> str:
    """Return a proposal of an administrator for the key of Johor's operator."""
    scene.enter(declared())
    return propose(door, OPERATOR.public.jwk, sites=["johor"])


def propose(door: Door, jwk: Any, **more: Any) -> str:  # noqa: ANN401 - JSON
    """Propose a key and return the proposal."""
    new = {
        "jwk": msgspec.json.decode(encode_canonical(jwk)),
        "party": "acme",
        "name": "Acme <b>Ltd</b>",
        "roles": ["operator"],
        "reason": "letter of 1 March",
        **more,
    }
    office = door.token(Role.ADMINISTRATOR)
    body = msgspec.json.encode(new)
    answer = door.send("/party-keys", body, token=office, kind="application/json")
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def test_a_key_is_let_in_and_revoked_on_the_page(door: Door, proposal: str) -> None:
    """By an auditor; its proposer is offered no approval."""
    office = door.log_in(door.token(Role.ADMINISTRATOR))
    auditor = door.log_in(door.token(Role.AUDITOR))
    assert "Let it in" not in text_of(door.page("/parties", session=office))
    page = door.page("/parties", session=auditor)
    assert "Let it in" in text_of(page)
    assert "letter of 1 March" in text_of(page)
    assert KID in page.text
    assert "<b>Ltd" not in page.text
    address = f"/parties/proposals/{proposal}"
    own = door.post(address, {"decision": "approve"}, session=office)
    assert own.status_code == 403
    assert door.post(address, {"decision": "approve"}, session=auditor).status_code == 303
    assert "valid" in text_of(door.page("/parties", session=auditor))
    end = f"/parties/keys/{KID}/revocation"
    assert door.post(end, {"reason": ""}, session=auditor).status_code == 400
    assert door.post(end, {"reason": "stolen"}, session=auditor).status_code == 303
    says = text_of(door.page("/parties", session=auditor))
    assert "revoked" in says
    assert "Accept nothing more of it" not in says


def test_a_proposal_is_declined_with_a_reason(door: Door, proposal: str) -> None:
    """It stays on the page, as what came to nothing."""
    auditor = door.log_in(door.token(Role.AUDITOR))
    address = f"/parties/proposals/{proposal}"
    assert door.post(address, {"decision": "perhaps"}, session=auditor).status_code == 400
    declined = door.post(address, {"decision": "decline", "reason": "no letter"}, session=auditor)
    assert declined.status_code == 303
    assert "declined by auditor:" in text_of(door.page("/parties", session=auditor))


def test_an_operator_sees_the_keys_of_its_sites_and_decides_nothing(
    door: Door, proposal: str
) -> None:
    """A key that speaks of another site is not shown to it."""
    propose(door, VENDOR.public.jwk, party="newco", name="Newco", sites=["muar"])
    session = door.log_in(door.token(Role.OPERATOR, "johor"))
    page = door.page("/parties", session=session)
    assert "acme" in page.text
    assert "Newco" not in page.text
    assert '<form method="post" action="/parties' not in page.text
    answer = door.post(f"/parties/proposals/{proposal}", {"decision": "approve"}, session=session)
    assert answer.status_code == 403
