"""What people do in the demo: the papers of a delivery, short timers, findings, and a period.

All of it through public doors: the API, `chipledger-server` and `chipledger-sign`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from chipledger_book.events import Event, encode_event
from chipledger_book.terms import day_of
from chipledger_testing.demo import delivery, narrate
from chipledger_testing.demo.people import People, Person
from chipledger_testing.stage import Stage

EXPECTED: Final = frozenset({"missing", "never-attested", "rma-open", "receipt-unmatched"})
"""Types of finding that the collector must open by itself at the site of the delivery."""

_EVENTS: Final = "/api/v1/ledger/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """One telling of the story.

    Attributes:
        stage: where it plays.
        people: who acts.
        now_ms: the demo's today; papers are dated before it.
    """

    stage: Stage
    people: People
    now_ms: int

    def deliver(self) -> None:
        """License, ship and receive: three servers, each paper by whose it is."""
        site, boss = delivery.SITE, self.people.administrator
        narrate.step(f"{site}: its licence is granted, for 32 H200 and 4 A100")
        self._enter(boss, delivery.site(self.now_ms))
        self._enter(boss, delivery.licence(self.now_ms))
        narrate.step(f"{delivery.MAKER}, the maker, makes a key that nobody else has")
        key = self._let_in_the_maker()
        narrate.step(f"{delivery.MAKER} signs with it that 3 servers are on their way to {site}")
        event = self.stage.folder / "shipment.json"
        event.write_bytes(encode_event(delivery.shipment(self.now_ms)))
        signed = self.stage.folder / "shipment.signed"
        who = ("--role", "shipper", "--party", delivery.MAKER, "--key", str(key))
        self.stage.sign("event", str(event), *who, "--out", str(signed))
        answer = self.stage.post(_EVENTS, boss.token, signed.read_bytes())
        narrate.step(f"{site} receives 3 servers on paper, and says so in a session")
        self._enter(self.people.operator, delivery.receipt(self.now_ms, answer["id"]))
        narrate.step(f"{site} sent a faulty A100 back: RMA-4711; its maker says nothing yet")
        self._enter(self.people.operator, delivery.cards(self.now_ms))
        self._enter(self.people.operator, delivery.rma(self.now_ms))
        narrate.step("an auditor enters what customs recorded: a fourth server")
        self._enter(self.people.auditor, delivery.customs(self.now_ms))

    def _let_in_the_maker(self) -> Path:
        """Register the maker's key: proposed by one person, approved by another."""
        key = self.stage.folder / "maker.key"
        self.stage.sign("key", "new", "--out", str(key))
        jwk = json.loads(self.stage.sign("key", "show", str(key), "--jwk"))
        wanted = {
            "jwk": jwk,
            "party": delivery.MAKER,
            "roles": ["shipper"],
            "sites": [delivery.SITE],
            "reason": "thumbprint compared by telephone",
        }
        boss, second = self.people.administrator, self.people.second
        asked = self.stage.post("/api/v1/party-keys", boss.token, wanted)
        self.stage.post(f"/api/v1/party-keys/{asked['id']}/approval", second.token, {})
        narrate.step(f"{boss.name} proposed the key, {second.name} let it in")
        return key

    def shorten_timers(self) -> None:
        """Load the timers of the demo: one person proposes the table, another approves it."""
        boss, second = self.people.administrator, self.people.second
        table = json.loads(self.stage.server("rules", "show", "chipledger-timers"))
        table = delivery.with_short_timers(table, version=f"demo-{day_of(self.now_ms)}")
        file = self.stage.write("timers.json", json.dumps(table))
        why = ("--reason", "a demo has no weeks", "--token-file", str(boss.file))
        made = json.loads(self.stage.server("rules", "load", str(file), *why, "--json"))
        approve = ("--token-file", str(second.file))
        self.stage.server("rules", "approve", made["id"], *approve)
        narrate.step(f"{boss.name} loads shorter timers, {second.name} approves them:")
        for *_, words in delivery.SHORTENED.values():
            narrate.say(f"    {words}")

    def let_it_be_found(self) -> None:
        """Wait until the collector has opened, by itself, what there is to find of the delivery."""

        def all_open() -> bool:
            found = EXPECTED & {row["type"] for row in self._attention()}
            narrate.progress(
                len(found), len(EXPECTED), "kinds of finding are opened by the lookout"
            )
            return found == EXPECTED

        self.stage.wait("what the lookout finds", all_open, timeout_s=120)

    def work_on_findings(self) -> Sequence[str]:
        """Acknowledge, explain, accept by two and reject; return the findings that had answers."""
        people = self.people
        mine = {row["type"]: row["id"] for row in self._attention()}
        boxed, stopped = mine["never-attested"], mine["missing"]
        narrate.step(f"{people.operator.name} acknowledges both findings about the servers")
        for finding in (boxed, stopped):
            self._act(people.operator, finding, "acknowledge")
        narrate.step(f"{people.operator.name} explains them, each with a paper")
        self._explain(boxed, "the third server is still in its box, its rack has no power yet")
        self._explain(stopped, "its power supply failed, ticket 812; the spare part is ordered")
        auditors = f"{people.auditor.name} and {people.second.name}"
        narrate.step(f"{auditors} accept the first for 30 days: it takes two, as it weighs high")
        why = "seen on a video call, seal and serial included; a count is planned"
        self._act(people.auditor, boxed, "accept", reason=why, expires="30d")
        self._act(people.second, boxed, "confirm")
        narrate.step(f"{people.auditor.name} rejects the second")
        why = "ticket 812 names another server; show this one, or where it is"
        self._act(people.auditor, stopped, "reject", reason=why)
        return (boxed, stopped)

    def close_last_month(self) -> str:
        """Freeze the month before, sign it from both sides, and return its name."""
        people, site = self.people, delivery.SITE
        last = day_of(self.now_ms).replace(day=1) - timedelta(days=1)
        period = f"{last.replace(day=1)}..{last}"
        at = ("--site", site)
        narrate.step(f"{people.operator.name} freezes {_month(last)} of {site}")
        freeze = ("period", "freeze", period, *at, "--token-file", str(people.operator.file))
        made = json.loads(self.stage.server(*freeze, "--json"))
        digest = made["period"]["documents"][0]["digest"]
        for person, words in ((people.operator, "signs it"), (people.auditor, "signs it too")):
            signs = ("--digest", digest, "--token-file", str(person.file))
            self.stage.server("period", "sign-off", period, *at, *signs)
            narrate.step(f"{person.name} {words}: digest {digest}")
        return period

    def report(self, period: str) -> Path:
        """Write the inventory of the closed period as a page to print, and return where it is."""
        file = self.stage.folder / f"current-inventory-{delivery.SITE}.html"
        about = ("--site", delivery.SITE, "--period", period, "--format", "html")
        self.stage.server("report", "current-inventory", *about, "--out", str(file))
        return file

    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """Return what the ledger holds of the site of the delivery, the oldest first."""
        at = f"site={delivery.SITE}&limit=200"
        token = self.people.auditor.token
        entered = self.stage.get(f"/api/v1/events?{at}", token)["items"]
        recorded = self.stage.get(f"/api/v1/events?type=installed&{at}", token)["items"]
        return sorted([*entered, *recorded], key=lambda row: row["occurred_ms"])

    def trail(self, finding: str) -> Sequence[Mapping[str, Any]]:
        """Return what happened to a finding."""
        path = f"/api/v1/findings/{finding}/trail"
        steps: Sequence[Mapping[str, Any]]
        steps = self.stage.get(path, self.people.auditor.token)["items"]
        return steps

    def places(self) -> Mapping[str, str]:
        """Return what to look at first, by path."""
        site = delivery.SITE
        return {
            f"/sites/{site}": "the site of the delivery, with its balance",
            f"/ledger?site={site}": "its papers, and whose word each stands on",
            f"/findings?site={site}": "what somebody should explain there",
            "/late": "who is late",
            f"/sites/{delivery.SITE}/periods": "the closed month, and reports",
            "/rules": "tables and timers, and who let each in",
        }

    def _attention(self) -> Sequence[Mapping[str, Any]]:
        """Return the findings of the site of the delivery that need attention."""
        path = f"/api/v1/findings?state=attention&site={delivery.SITE}&limit=200"
        rows: Sequence[Mapping[str, Any]] = self.stage.get(path, self.people.auditor.token)["items"]
        return rows

    def _enter(self, who: Person, event: Event) -> None:
        self.stage.post(_EVENTS, who.token, encode_event(event))

    def _act(self, who: Person, finding: str, action: str, **said: str) -> None:
        body = {"action": action, **said}
        self.stage.post(f"/api/v1/findings/{finding}/actions", who.token, body)

    def _explain(self, finding: str, reason: str) -> None:
        """Explain by the command line, which takes the digest of the paper by itself."""
        evidence = self.stage.write(f"{finding}.txt", f"A stand-in for a photograph: {reason}\n")
        said = ("--reason", reason, "--evidence", str(evidence), "--expires", "30d")
        who = ("--token-file", str(self.people.operator.file))
        self.stage.server("findings", "act", finding, "explain", *said, *who)


def _month(day: date) -> str:
    return f"{day:%B %Y}"
