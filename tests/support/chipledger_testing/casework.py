"""Findings opened, grown and ended as the sequencer does it, behind a door for people."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from httpx import Response
from litestar.testing import TestClient

from chipledger_book.terms import Severity
from chipledger_server.adapters.database import Writer, open_writer
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.domain.findings import About
from chipledger_server.ports import Entropy
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_testing.door import OWN_FORM, Door
from chipledger_testing.scene import Scene

PAPER: Final = {"sha256": "ab" * 32, "title": "work order 17"}
SITE: Final = "johor"


@dataclass(slots=True)
class Casework:
    """A site with an operator, two auditors and an administrator.

    Attributes:
        scene: the database and its clock.
        door: the application.
        tokens: of each person, by name.
    """

    scene: Scene
    door: Door
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, role, sites in (
            ("olga", Role.OPERATOR, (SITE,)),
            ("oscar", Role.OPERATOR, ("penang",)),
            ("ada", Role.AUDITOR, ()),
            ("bert", Role.AUDITOR, ()),
            ("root", Role.ADMINISTRATOR, ()),
        ):
            self.tokens[name] = self.scene.token(name, role, *sites)

    def opened(
        self,
        severity: Severity = Severity.HIGH,
        *,
        kind: str = "missing",
        subject: str = SITE,
        start: str = "2 chips",
        site: str | None = SITE,
        detail: Mapping[str, Any] | None = None,
    ) -> str:
        """Open a finding, or the same one again, and return its id."""
        about = About(kind=kind, subject=subject, site=site, severity=severity)
        with self._noting() as noting:
            return noting.open(about, start, self.scene.now_ms, detail or {"pieces": 2, "tpp": 9})

    def grown(self, key: str, severity: Severity = Severity.CRITICAL) -> None:
        """Let the fact behind a finding grow."""
        with self._noting() as noting:
            about = noting.store.finding(key)
            about = About(
                kind=about.kind, subject=about.subject, site=about.site, severity=severity
            )
            detail = {"pieces": 200, "tpp": 900}
            noting.changed(key, about, self.scene.now_ms, detail=detail, grown=True)

    def ended(self, key: str) -> None:
        """Let the fact behind a finding end."""
        with self._noting() as noting:
            noting.resolve(key, self.scene.now_ms)

    def beat(self) -> None:
        """Let the collector notice what time has ended."""
        with self._noting() as noting:
            noting.lapse(self.scene.now_ms)

    def act(self, who: str, finding: str, action: str, **said: Any) -> Response:  # noqa: ANN401 - members
        """Take a step through the API, a second after the one before."""
        self.scene.now_ms += 1000
        body: dict[str, Any] = {"action": action, **said}
        if action in {"explain", "reject", "accept", "close", "decline", "reopen", "comment"}:
            body.setdefault("reason", f"{who} says so")
        if action == "explain":
            body.setdefault("evidence", [PAPER])
        if action in {"explain", "accept"}:
            body.setdefault("expires", "30d")
        with TestClient(self.door.app) as client:
            return client.post(
                f"/api/v1/findings/{finding}/actions",
                json=body,
                headers={"authorization": f"Bearer {self.tokens[who]}"},
            )

    def done(self, who: str, finding: str, action: str, **said: Any) -> dict[str, Any]:  # noqa: ANN401 - members
        """Take a step that must be taken, and return the finding after it."""
        answer = self.act(who, finding, action, **said)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def code(self, who: str, finding: str, action: str, **said: Any) -> tuple[int, str]:  # noqa: ANN401 - members
        """Take a step that must be refused, and return status and code."""
        answer = self.act(who, finding, action, **said)
        assert answer.status_code >= 400, answer.text
        problem = answer.json()
        assert problem["detail"]
        return answer.status_code, problem["code"]

    def state(self, finding: str) -> str:
        """Return the state of a finding now."""
        return str(self.door.read(f"/findings/{finding}")["state"])

    def trail(self, finding: str) -> list[dict[str, Any]]:
        """Return what happened to a finding."""
        items: list[dict[str, Any]] = self.door.read(f"/findings/{finding}/trail")["items"]
        return items

    def form(
        self,
        who: str,
        path: str,
        fields: Mapping[str, Any],
        *,
        files: list[tuple[str, tuple[str, bytes]]] | None = None,
    ) -> Response:
        """Send a form of our own page, in a session; as a page with files does."""
        cookie = self.door.log_in(self.tokens[who])
        with TestClient(self.door.app) as client:
            return client.post(
                path,
                data=dict(fields),
                files=files,
                headers={**OWN_FORM, "cookie": f"chipledger_session={cookie}"},
                follow_redirects=False,
            )

    def page(self, who: str, path: str) -> Response:
        """Return a page as somebody."""
        return self.door.page(path, session=self.door.log_in(self.tokens[who]))

    def _noting(self) -> AbstractContextManager[Noting]:
        return noting_in(self.scene.folder / "collector.sqlite", self.scene.entropy)


@contextmanager
def noting_in(database: Path, entropy: Entropy) -> Iterator[Noting]:
    """Write findings into a database as the sequencer does, in one transaction."""
    connection: Writer = open_writer(database)
    connection.execute("BEGIN IMMEDIATE")
    yield Noting(store=SqliteSequenceStore(connection, entropy))
    connection.execute("COMMIT")
    connection.close()
