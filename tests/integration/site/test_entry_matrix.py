"""Who may enter where: every route, every role, the own site and a foreign one.

A route that is added later fails here until it stands in one of the lists.
"""

from typing import Final

import pytest
from httpx import Response
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from chipledger_server.usecases.access import Role
from chipledger_testing.book import H100
from chipledger_testing.door import OWN_FORM, Door
from chipledger_testing.johor import FOREIGN, SITE, Johor

PUBLIC: Final = {
    "/api/v1/openapi.json": 200,
    "/static/{name:str}": 200,
    "/login": 200,
    "/enter/{ticket:str}": 303,
}
"""No principal is needed. A link that is no good leads to the login page."""

LISTS: Final = (
    *(
        "/api/v1/me",
        "/api/v1/rules",
        "/api/v1/rules/tables/{table_id:str}",
        "/api/v1/rules/diff",
        "/api/v1/rules/countries",
        "/api/v1/result-key",
        "/api/v1/sites",
        "/api/v1/hosts",
        "/api/v1/chips",
    ),
    *(
        "/api/v1/findings",
        "/api/v1/exports/findings.json",
        "/api/v1/exports/findings.csv",
        "/api/v1/events",
        "/api/v1/log",
        "/api/v1/log/{index:int}",
        "/",
        "/rules",
        "/rules/diff",
        "/findings",
        "/findings/export.csv",
        *("/ledger", "/ledger/download", "/parties"),
        "/ledger/new",
        "/ledger/new/{kind:str}",
        "/ledger/import",
        *("/reports", "/api/v1/reports/due"),
        *("/rollups", "/api/v1/rollups"),
        *("/late", "/api/v1/waits", "/api/v1/party-keys"),
    ),
)
"""Every principal may ask; the answer holds nothing of a foreign site."""

OF_A_SITE: Final = (
    *("/api/v1/sites/{site_id:str}", "/api/v1/sites/{site_id:str}/balance"),
    *("/api/v1/sites/{site_id:str}/hosts", "/api/v1/sites/{site_id:str}/devices"),
    *("/sites/{site_id:str}", "/sites/{site_id:str}/periods"),
    *("/api/v1/sites/{site_id:str}/periods", "/api/v1/sites/{site_id:str}/waits"),
    *("/sites/{site_id:str}/behind", "/api/v1/sites/{site_id:str}/balance/behind"),
    *("/sites/{site_id:str}/samples", "/api/v1/sites/{site_id:str}/samples"),
)
"""A foreign site is forbidden, whether it exists or not."""

HIDDEN: Final = (
    *("/api/v1/hosts/{host_id:str}", "/api/v1/hosts/{host_id:str}/chain"),
    *("/api/v1/chips/{chip_id:int}", "/api/v1/findings/{finding_id:str}"),
    "/api/v1/findings/{finding_id:str}/trail",
    *("/api/v1/events/{event_id:str}", "/hosts/{host_id:str}", "/chips/{chip_id:int}"),
    *("/findings/{finding_id:str}", "/events/{event_id:str}"),
    *("/api/v1/hosts/{host_id:str}/result", "/hosts/{host_id:str}/result"),
)
"""What is foreign is as unknown as what does not exist."""

OF_A_PERIOD: Final = (
    *("/api/v1/sites/{site_id:str}/periods/{period:str}", "/api/v1/reports/{kind:str}"),
    "/api/v1/sites/{site_id:str}/periods/{period:str}/document",
    "/sites/{site_id:str}/periods/{period:str}",
    "/sites/{site_id:str}/periods/{period:str}/document",
    "/sites/{site_id:str}/periods/{period:str}/reports/{name:str}",
)
"""What needs a frozen period; the tests of periods say who may."""

OF_A_SAMPLE: Final = (
    "/api/v1/sites/{site_id:str}/samples/{sample:str}",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/sheet",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/documents/{name:str}",
    *(
        "/sites/{site_id:str}/samples/{sample:str}",
        "/sites/{site_id:str}/samples/{sample:str}/paper",
    ),
    "/sites/{site_id:str}/samples/{sample:str}/files/{name:str}",
)
"""What needs a sample; the tests of samples say who may."""

FORMS: Final = ("/login", "/logout", "/enter")
"""The only routes that take a form from anybody."""

IN_SESSION: Final = (
    *("/ledger/check", "/ledger/enter", "/ledger/import/check", "/ledger/import/enter"),
    "/rules/proposals/{proposal_id:str}",
    *("/ledger/import/nvidia-smi", "/parties/proposals/{proposal:str}"),
    "/parties/keys/{kid:str}/revocation",
    "/events/{event_id:str}/agreement",
    "/sites/{site_id:str}/samples/commit",
    *(
        f"/sites/{{site_id:str}}/samples/{{sample:str}}/{step}"
        for step in ("announce", "draw", "check", "take", "conclude")
    ),
    *("/findings/acknowledge", "/findings/{finding_id:str}/act"),
    *("/sites/{site_id:str}/periods/freeze", "/sites/{site_id:str}/periods/sign"),
)
"""Routes that take a form from somebody who is logged in."""

POSTED: Final = (
    *("/api/v1/ledger/imports", "/api/v1/findings/{finding_id:str}/actions"),
    *("/api/v1/rules/proposals", "/api/v1/rules/proposals/{proposal_id:str}/approve"),
    "/api/v1/rules/proposals/{proposal_id:str}/decline",
    "/api/v1/sites/{site_id:str}/periods",
    "/api/v1/sites/{site_id:str}/periods/{period:str}/sign-off",
    "/api/v1/sites/{site_id:str}/samples",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/announce",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/draw",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/count",
    "/api/v1/sites/{site_id:str}/samples/{sample:str}/conclude",
    *("/api/v1/ledger/events", "/api/v1/ledger/events/{event_id:str}/statements"),
    *("/api/v1/party-keys", "/api/v1/party-keys/{kid:str}/revocation"),
    *("/api/v1/party-keys/{proposal:str}/approval", "/api/v1/party-keys/{proposal:str}/refusal"),
)
"""Doors of the API that enter something; each has tests of its own for who may."""

GUARDED: Final = (*LISTS, *OF_A_SITE, *HIDDEN)
ALL: Final = (*GUARDED, *OF_A_PERIOD, *OF_A_SAMPLE)


def routes(door: Door, method: str) -> set[str]:
    """Return the paths of the application that answer a method."""
    return {
        route.path
        for route in door.app.routes
        if isinstance(route, HTTPRoute) and method in route.methods
    }


def filled(path: str, johor: Johor) -> str:
    """Return a path with ids of what belongs to Johor."""
    names = {
        "{site_id:str}": SITE,
        "{host_id:str}": johor.hosts["good"].id,
        "{chip_id:int}": str(johor.scene.chip_id(johor.chips["good"][1])),
        "{finding_id:str}": johor.findings["silent-host"],
        "{event_id:str}": johor.events["servers"],
        "{index:int}": "4",
        "{kind:str}": "correction",
        "{table_id:str}": "chips",
        "{name:str}": "chipledger.css",
        "{ticket:str}": "p-no.1.no",
    }
    for placeholder, name in names.items():
        path = path.replace(placeholder, name)
    return f"{path}?sku={H100}&column=book" if path.endswith("/behind") else path


def asked(path: str, johor: Johor, token: str) -> Response:
    """Return the answer to a token: by bearer for the API, in a session for a screen."""
    real = filled(path, johor)
    if real.startswith("/api/v1"):
        return johor.door.ask(real.removeprefix("/api/v1"), token=token)
    return johor.door.page(real, session=johor.door.log_in(token))


def test_every_route_stands_in_the_matrix(door: Door) -> None:
    """Nothing answers GET or POST that is not listed here."""
    assert routes(door, "GET") == {*PUBLIC, *ALL}
    assert routes(door, "POST") == {*FORMS, *IN_SESSION, *POSTED}
    assert routes(door, "PUT") | routes(door, "PATCH") | routes(door, "DELETE") == set()


@pytest.mark.parametrize("path", PUBLIC)
def test_public_routes_need_no_principal(path: str, johor: Johor) -> None:
    """They say the same to everybody."""
    with TestClient(johor.door.app) as client:
        answer = client.get(filled(path, johor), follow_redirects=False)

    assert answer.status_code == PUBLIC[path]


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("token", ["", "clp_" + "A" * 43, "nonsense"])
def test_nobody_enters_without_a_principal(path: str, token: str, johor: Johor) -> None:
    """No token, an unknown one or nonsense: 401 from the API, the login page from a screen."""
    real = filled(path, johor)
    if real.startswith("/api/v1"):
        answer = johor.door.refused(real.removeprefix("/api/v1"), token=token)
        assert answer == (401, "unauthenticated")
    else:
        page = johor.door.page(real, session=token)
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", POSTED)
def test_nobody_enters_anything_without_a_principal(path: str, johor: Johor) -> None:
    """401, before the body is looked at."""
    with TestClient(johor.door.app) as client:
        answer = client.post(path, content=b"{}", headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_auditors_and_administrators_read_everything(path: str, role: Role, johor: Johor) -> None:
    """Nobody at a site can limit what an auditor sees."""
    assert asked(path, johor, johor.door.token(role)).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
def test_operators_read_their_own_site(path: str, johor: Johor) -> None:
    """All of it."""
    token = johor.door.token(Role.OPERATOR, SITE)

    assert asked(path, johor, token).status_code == 200


@pytest.mark.parametrize("path", OF_A_SITE)
@pytest.mark.parametrize("site", [SITE, "never-declared"])
def test_a_foreign_site_is_forbidden_declared_or_not(path: str, site: str, johor: Johor) -> None:
    """So the answer does not tell whether it exists."""
    token = johor.door.token(Role.OPERATOR, FOREIGN)
    answer = asked(path.replace("{site_id:str}", site), johor, token)

    assert answer.status_code == 403
    assert "outside-scope" in answer.text


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_foreign_is_unknown(path: str, johor: Johor) -> None:
    """A host, chip, finding or event of another site answers as one that does not exist."""
    token = johor.door.token(Role.OPERATOR, FOREIGN)

    assert asked(path, johor, token).status_code == 404


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_nothing_of_a_foreign_site(path: str, johor: Johor) -> None:
    """Neither its name, nor its hosts, nor its receipts."""
    answer = asked(path, johor, johor.door.token(Role.OPERATOR, FOREIGN))

    assert answer.status_code == 200
    assert SITE not in answer.text
    assert "SRV-1" not in answer.text
    assert all(johor.hosts[name].id not in answer.text for name in ("good", "quiet", "twin"))


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "cross-site"}, {"origin": "http://elsewhere.example"}],
    ids=["silent", "cross-site", "other-origin"],
)
def test_forms_of_other_pages_are_refused(path: str, headers: dict[str, str], johor: Johor) -> None:
    """Also when the browser does not say where the form comes from."""
    with TestClient(johor.door.app) as client:
        answer = client.post(filled(path, johor), data={"token": "x"}, headers=headers)

    assert answer.status_code == 403
    assert "forged-form" in answer.text


@pytest.mark.parametrize("path", IN_SESSION)
@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-site"}], ids=["silent", "other"])
def test_forms_of_other_pages_are_refused_in_a_session_too(
    path: str, headers: dict[str, str], johor: Johor
) -> None:
    """A session does not make another page's form ours; without one there is nothing to do."""
    session = johor.door.log_in(johor.door.token(Role.ADMINISTRATOR))
    cookie = {"cookie": f"chipledger_session={session}"}
    file = (
        {"file": ("a.csv", b"x")} if path.endswith(("import/check", "{sample:str}/check")) else None
    )
    form = {"kind": "received", "packed": "x"} if file is None else {}
    with TestClient(johor.door.app) as client:
        answer = client.post(path, data=form, files=file, headers={**headers, **cookie})
        nobody = client.post(path, data=form, files=file, headers=OWN_FORM)

    assert (answer.status_code, "forged-form" in answer.text) == (403, True)
    assert nobody.status_code == 401


def test_a_form_of_our_own_page_is_taken(johor: Johor) -> None:
    """An older browser that sends only Origin may log in too."""
    token = johor.door.token(Role.AUDITOR)
    with TestClient(johor.door.app) as client:
        for headers in (OWN_FORM, {"origin": "http://testserver.local"}):
            answer = client.post(
                "/login", data={"token": token}, headers=headers, follow_redirects=False
            )
            assert answer.status_code == 303
