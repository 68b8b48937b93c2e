"""A site whose chips are sampled and counted: who plans, draws and counts, and at which desk."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from chipledger_book.counts.sampling import commitment_of
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.samples import SqlSamples
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.sampling.store import SampleDesk
from chipledger_testing.book import declared, ms, received, site_of
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import Scene, StagedHost

if TYPE_CHECKING:
    from httpx import Response

    from chipledger_testing.door import Door

SEED: Final = bytes(range(32))
AT: Final = "/sites/johor/samples"
JSON: Final = "application/json"
ASK: Final[Mapping[str, Any]] = {
    "hole": {"by": "chips", "amount": 3},
    "commitment": commitment_of(SEED),
    "split": [],
}


def sample_desk(scene: Scene) -> SampleDesk:
    """Return the desk at which a scene is sampled."""
    return SampleDesk(
        store=SqlSamples(scene.engine),
        reads=scene.reads,
        ledger=SqlLedger(scene.engine),
        measures=lambda _: scene.measure,
    )


def counted_site(scene: Scene) -> StagedHost:
    """Fill a scene: ten chips received by number, eight of them on one host that reports."""
    scene.enter(declared(), declared(site_of("penang")), received(10, at=ms(2026, 2)))
    host = scene.host("johor", "one", at=ms(2026, 2))
    scene.seen(host, *(chip_of("one", index) for index in range(8)), since=scene.now_ms - 60_000)
    scene.sequence()
    return host


@dataclass(slots=True)
class Inspection:
    """An auditor at the API, step by step; time goes on by a second with each.

    Attributes:
        door: the collector.
        host: whose chips are counted.
        id: the plan, once there is one.
    """

    door: "Door"
    host: StagedHost
    id: str = ""

    def sends(
        self, path: str, said: object, *, role: Role = Role.AUDITOR, **asked: str
    ) -> "Response":
        """Return the answer to a step."""
        self.door.scene.now_ms += 1000
        sites = ("johor",) if role is Role.OPERATOR else ()
        body = said if isinstance(said, str | bytes) else json.dumps(said)
        token = self.door.token(role, *sites)
        kind = JSON if not isinstance(said, str | bytes) else "text/csv"
        return self.door.send(f"{AT}{path}", body, token=token, kind=kind, **asked)

    def plans(self, **said: object) -> dict[str, Any]:
        """Plan and commit."""
        answer = self.sends("", {**ASK, **said})
        assert answer.status_code == HTTPStatus.CREATED, answer.text
        made: dict[str, Any] = answer.json()
        self.id = made["plan"]["digest"]
        return made

    def draws(self, seed: bytes = SEED, **said: object) -> dict[str, Any]:
        """Show the seed."""
        return self.ok(self.sends(f"/{self.id}/draw", {"seed": seed.hex(), **said}))

    def answers(self) -> None:
        """Let the host report afresh."""
        scene = self.door.scene
        scene.now_ms += 1000
        scene.beats(self.host, scene.now_ms)
        scene.token_of(self.host, scene.now_ms)

    def sheet(self, fill: Callable[[dict[str, str]], None] | None = None, *more: str) -> str:
        """Return the filled sheet: every chip scanned at its place unless `fill` says otherwise."""
        text = self.door.ask(f"{AT}/{self.id}/sheet").text
        head = [line for line in text.splitlines() if line.startswith("#")]
        rows = list(csv.DictReader(text.splitlines()[len(head) :]))
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            row["scanned"] = row["uuid"] or row["unit"]
            row["outcome"] = "seen"
            if fill is not None:
                fill(row)
            writer.writerow(row)
        return "\n".join((*head, out.getvalue().strip(), *more))

    def counts(self, sheet: str, **asked: str) -> dict[str, Any]:
        """Import a sheet."""
        return self.ok(self.sends(f"/{self.id}/count", sheet, role=Role.AUDITOR, **asked))

    def concludes(self) -> "Response":
        """State the result."""
        return self.sends(f"/{self.id}/conclude", {"inspector": "Ines Pector"})

    def shown(self) -> dict[str, Any]:
        """Return the sample as the auditor sees it."""
        found: dict[str, Any] = self.door.read(f"{AT}/{self.id}")
        return found

    @staticmethod
    def ok(answer: "Response") -> dict[str, Any]:
        """Return what a step was answered."""
        assert answer.status_code == HTTPStatus.OK, answer.text
        said: dict[str, Any] = answer.json()
        return said
