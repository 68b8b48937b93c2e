"""Logging in, staying in and getting out."""

import pytest
from httpx import Response
from litestar.testing import TestClient

from chipledger_server.usecases.access import Role
from chipledger_server.usecases.people import revoke_principal, rotate_principal
from chipledger_server.web.auth import SESSION_S
from chipledger_server.web.screens.session import safe_path
from chipledger_testing.door import OWN_FORM, Door
from chipledger_testing.scene import Scene


def post(door: Door, path: str, **data: str) -> Response:
    """Send a form from a page of our own."""
    with TestClient(door.app) as client:
        return client.post(path, data=data, headers=OWN_FORM, follow_redirects=False)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(door: Door) -> None:
    """HttpOnly, SameSite=Strict, and it does not hold the token."""
    token = door.token(Role.AUDITOR)
    cookie = post(door, "/login", token=token).headers["set-cookie"]

    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert token not in cookie
    assert "secure" not in cookie.lower()  # plain HTTP, on loopback alone


def test_the_cookie_stays_on_tls(door: Door) -> None:
    """Over https it is marked Secure."""
    with TestClient(door.app, base_url="https://testserver.local") as client:
        answer = client.post(
            "/login",
            data={"token": door.token(Role.AUDITOR)},
            headers=OWN_FORM,
            follow_redirects=False,
        )

    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_token_shows_the_form_again(door: Door) -> None:
    """With a sentence, and without what was typed."""
    answer = post(door, "/login", token="clp_" + "B" * 43)

    assert answer.status_code == 401
    assert "does not open this door" in answer.text
    assert "BBBB" not in answer.text
    assert "set-cookie" not in answer.headers


def test_a_session_ends_after_its_time(scene: Scene, door: Door) -> None:
    """Eight hours, whatever happens in it."""
    session = door.log_in(door.token(Role.AUDITOR))
    scene.now_ms += SESSION_S * 1000 - 1
    assert door.page("/", session=session).status_code == 200
    scene.now_ms += 1

    assert door.page("/", session=session).status_code == 303


@pytest.mark.parametrize("how", ["revoked", "rotated"])
def test_a_session_ends_with_its_token(how: str, scene: Scene, door: Door) -> None:
    """At once, without waiting for its time."""
    door.token(Role.ADMINISTRATOR)
    scene.token("eve", Role.AUDITOR)
    token = rotate_principal("eve", scene.people, scene.hand()).token
    session = door.log_in(token)
    assert door.page("/", session=session).status_code == 200
    if how == "revoked":
        revoke_principal("eve", scene.people, scene.hand(), reason="left")
    else:
        rotate_principal("eve", scene.people, scene.hand())

    assert door.page("/", session=session).status_code == 303
    assert door.refused("/me", token=token) == (401, "unauthenticated")


def test_a_session_of_one_cannot_be_made_into_anothers(scene: Scene, door: Door) -> None:
    """Neither name nor end nor signature can be changed."""
    session = door.log_in(door.token(Role.OPERATOR, "johor"))
    auditor = (
        next(person for person in scene.people.everybody()) if door.token(Role.AUDITOR) else None
    )
    assert auditor is not None
    name, ends, mac = session.split(".")
    forged = [
        f"{auditor.id}.{ends}.{mac}",
        f"{name}.{int(ends) + 1}.{mac}",
        f"{name}.{ends}.{mac[:-2]}AA",
        f"{name}.{ends}.",
        f"{name}.{ends}",
        f"{name}.{'9' * 400}.{mac}",
        "",
    ]

    assert {door.page("/", session=text).status_code for text in forged} == {303}


def test_a_link_lets_in_after_a_click(scene: Scene, door: Door) -> None:
    """Looking at it opens no session; it is no session itself, and a session is no link."""
    door.token(Role.AUDITOR)
    auditor = scene.people.everybody()[0]
    gate = door.parts().gate
    ticket = gate.issue(auditor.id, use="link", now_ms=scene.now_ms, lasts_s=60)

    shown = door.page(f"/enter/{ticket}", session="")
    assert shown.status_code == 200
    assert "set-cookie" not in shown.headers
    assert door.page("/", session=ticket).status_code == 303
    session = post(door, "/enter", ticket=ticket).cookies["chipledger_session"]
    assert door.page("/", session=session).status_code == 200
    assert post(door, "/enter", ticket=session).status_code == 401
    scene.now_ms += 60_000
    assert post(door, "/enter", ticket=ticket).status_code == 401


def test_logging_out_takes_the_cookie(door: Door) -> None:
    """And leads back to the door."""
    answer = post(door, "/logout")

    assert answer.headers["location"] == "/login"
    assert 'chipledger_session=""' in answer.headers["set-cookie"]


def test_whoever_logs_in_gets_to_where_they_wanted(door: Door) -> None:
    """With the times they asked for."""
    wanted = door.page("/sites/johor?as_of=2026-03-01", session="").headers["location"]
    assert wanted == "/login?next=%2Fsites%2Fjohor%3Fas_of%3D2026-03-01"
    form = door.page(wanted, session="").text

    assert 'value="/sites/johor?as_of=2026-03-01"' in form


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example"),
        *("\\\\elsewhere.example", "elsewhere.example", "", "/a\r\nset-cookie: x=y", "/a\\b"),
        "/sites/日本",  # no header can carry it
    ],
)
def test_logging_in_never_leads_elsewhere(elsewhere: str, door: Door) -> None:
    """An address of another server is an address of our overview."""
    assert safe_path(elsewhere) == "/"
    answer = post(door, "/login", token=door.token(Role.AUDITOR), next=elsewhere)

    assert answer.headers["location"] == "/"
