"""The OpenAPI document: true to what is enforced, and to what is answered."""

from typing import Any

import msgspec
import pytest
from litestar.routes import HTTPRoute

from chipledger_evidence.answers import Problem
from chipledger_server.web.openapi import ANSWERS, components, framework_document
from chipledger_server.web.site import api_router
from chipledger_testing.door import Door
from chipledger_testing.johor import Johor


@pytest.fixture(scope="module")
def document(johor: Johor) -> Any:  # noqa: ANN401 - any JSON
    """Return the document as it is served."""
    return msgspec.json.decode(johor.door.ask("/openapi.json").content)


def api_paths(door: Door) -> set[str]:
    """Return every path of the API that is in the document's duty."""
    return {
        route.path_format
        for route in door.app.routes
        if isinstance(route, HTTPRoute)
        and route.path.startswith("/api/v1/")
        and route.path != "/api/v1/openapi.json"
    }


def references(value: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return every component that a piece of the document refers to."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
    return set()


def test_it_is_openapi_3_1(document: Any) -> None:  # noqa: ANN401 - any JSON
    """And names every path of the API, once."""
    assert document["openapi"].startswith("3.1")


def test_it_names_every_path(document: Any, johor: Johor) -> None:  # noqa: ANN401 - any JSON
    """No route of the API is left out, and none is made up."""
    assert set(document["paths"]) == api_paths(johor.door)


def test_framework_and_msgspec_name_the_same_components(johor: Johor) -> None:
    """The framework's schemas are replaced by msgspec's; neither knows one the other lacks."""
    whole = framework_document(api_router(), johor.door.parts())

    assert set(whole["components"]["schemas"]) == set(components())


def test_every_reference_leads_somewhere(document: Any) -> None:  # noqa: ANN401 - any JSON
    """A generated client finds every schema."""
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert references(document) <= known


def test_strictness_is_written_down(document: Any) -> None:  # noqa: ANN401 - any JSON
    """No further members, and every member that is always there is required."""
    schemas = document["components"]["schemas"]
    for kind in ANSWERS:
        if kind is Problem:  # RFC 9457 leaves a problem document open to further members
            continue
        schema = schemas[kind.__name__]
        assert schema["additionalProperties"] is False
        assert schema["required"]


def test_every_route_declares_its_problems(document: Any) -> None:  # noqa: ANN401 - any JSON
    """As problem documents, 401 among them."""
    for path, item in document["paths"].items():
        for method, asked in item.items():
            responses = asked["responses"]
            assert "401" in responses, (method, path)
            for status, response in responses.items():
                if status not in {"200", "201"}:
                    assert set(response["content"]) == {"application/problem+json"}, path


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/me", "Me"),
        ("/sites", "SitesPage"),
        ("/hosts", "HostsPage"),
        ("/findings", "FindingsPage"),
        ("/events", "EventsPage"),
        ("/log", "LogPage"),
        ("/rules", "RulesPage"),
    ],
)
def test_answers_are_what_the_document_says(path: str, schema: str, johor: Johor) -> None:
    """Each answer decodes strictly as the struct that its route declares."""
    kind = next(one for one in ANSWERS if one.__name__ == schema)
    body = johor.door.ask(path).content

    assert msgspec.json.decode(body, type=kind, strict=True)
