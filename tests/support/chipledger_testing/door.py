"""The HTTP door of screens and API over a scene, without a socket."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from chipledger_evidence.answers import Problem
from chipledger_evidence.keys import Signer
from chipledger_server.adapters.case_desk import SqlCases
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.party_keys import SqlPartyKeys
from chipledger_server.adapters.rules import SqlRules
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.rules.measures import Measures
from chipledger_server.usecases.showing.results import Results
from chipledger_server.web.auth import Gate, session_key
from chipledger_server.web.context import Parts
from chipledger_server.web.site import build_app
from chipledger_testing.closing import desk
from chipledger_testing.counting import sample_desk
from chipledger_testing.keys import SeededSigner
from chipledger_testing.scene import NONCE_KEY, Scene

SIGNER: Final = SeededSigner("results")
PROPOSAL_TTL_S: Final = 7 * 86_400
OWN_FORM: Final = {"sec-fetch-site": "same-origin"}


@dataclass(slots=True)
class Door:
    """Asks the application of a scene as somebody.

    Attributes:
        scene: what is behind the door; its `now_ms` is the collector's clock.
        signer: what signs results, or None for a collector without such a key.
    """

    scene: Scene
    signer: Signer | None = SIGNER
    app: Litestar = field(init=False)
    _tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = build_app(self.parts())

    def parts(self) -> Parts:
        """Return the parts behind the door."""
        return Parts(
            name="scene.example",
            reads=self.scene.reads,
            gate=Gate(self.scene.people, session_key(NONCE_KEY)),
            measures=Measures(SqlRules(self.scene.engine), self.scene.measure),
            now_ms=lambda: self.scene.now_ms,
            results=Results(build="test", signer=self.signer),
            ledger=SqlLedger(self.scene.engine),
            party_keys=SqlPartyKeys(self.scene.engine),
            proposal_ttl_s=PROPOSAL_TTL_S,
            entropy=self.scene.entropy,
            cases=SqlCases(self.scene.engine),
            periods=desk(self.scene),
            samples=sample_desk(self.scene),
        )

    def token(self, role: Role, *sites: str) -> str:
        """Return the token of a principal of this role and scope."""
        name = f"{role}:{','.join(sites)}"
        if name not in self._tokens:
            self._tokens[name] = self.scene.token(name, role, *sites)
        return self._tokens[name]

    def ask(self, path: str, *, token: str | None = None, **parameters: str | int) -> Response:
        """Return the answer of the API to a token; as an auditor where none is given."""
        return self._get(path, token, parameters)

    def read(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON an auditor gets; the answer must be 200."""
        answer = self._get(path, None, parameters)
        assert answer.status_code == HTTPStatus.OK, answer.text
        return answer.json()

    def refused(
        self, path: str, *, token: str | None = None, **parameters: str | int
    ) -> tuple[int, str]:
        """Return status and code of a problem document."""
        answer = self._get(path, token, parameters)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert problem.status == answer.status_code
        return problem.status, problem.code

    def log_in(self, token: str) -> str:
        """Return the session cookie that a pasted token brings."""
        with TestClient(self.app) as client:
            answer = client.post(
                "/login", data={"token": token}, headers=OWN_FORM, follow_redirects=False
            )
        assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
        return answer.cookies["chipledger_session"]

    def page(self, path: str, *, session: str | None = None) -> Response:
        """Return a page in a session; an auditor's where none is given."""
        cookie = self.log_in(self.token(Role.AUDITOR)) if session is None else session
        with TestClient(self.app) as client:
            return client.get(
                path,
                headers={"cookie": f"chipledger_session={cookie}"} if cookie else {},
                follow_redirects=False,
            )

    def send(
        self,
        path: str,
        body: bytes | str,
        *,
        token: str,
        kind: str = "text/csv",
        **parameters: str | int,
    ) -> Response:
        """Return the answer of the API to a body."""
        with TestClient(self.app) as client:
            return client.post(
                f"/api/v1{path}",
                content=body,
                params=parameters,
                headers={"authorization": f"Bearer {token}", "content-type": kind},
            )

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        session: str,
        file: tuple[str, bytes] | None = None,
    ) -> Response:
        """Return the answer to a form of our own page, sent in a session, with a file or none."""
        with TestClient(self.app) as client:
            return client.post(
                path,
                data=dict(form),
                files=None if file is None else {"file": file},
                headers={**OWN_FORM, "cookie": f"chipledger_session={session}"},
                follow_redirects=False,
            )

    def _get(self, path: str, token: str | None, parameters: Mapping[str, str | int]) -> Response:
        bearer = self.token(Role.AUDITOR) if token is None else token
        with TestClient(self.app) as client:
            return client.get(
                f"/api/v1{path}",
                params=dict(parameters) or None,  # {} cuts off a query that the path has
                headers={"authorization": f"Bearer {bearer}"} if bearer else {},
            )


def text_of(page: Response) -> str:
    """Return what a page says, without markup, spaces folded."""
    bare = re.sub(r"<[^>]+>", " ", page.text)
    return re.sub(r"\s+", " ", bare)
