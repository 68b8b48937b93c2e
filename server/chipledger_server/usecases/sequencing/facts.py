"""Facts of the book, folded: what a look found becomes findings, and stops being them.

A look at a scope replaces the look before: facts it does not find any more are resolved, and the
waits are those it found. A finding is touched, and the log told, only where what it says differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from chipledger_book.watch import Fact, Wait
from chipledger_evidence.codec import encode_canonical
from chipledger_server.domain.findings import About, FindingRecord, Severity, encode_detail
from chipledger_server.usecases.book.lookout import Looked
from chipledger_server.usecases.sequencing.noting import Noting

Name = tuple[str, str]
"""Kind and key of a fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFact:
    """An open fact: its finding, and what that says."""

    finding: str
    said: bytes


class FactStore(Protocol):
    """Where open facts and waits are kept."""

    def open_facts(self, scope: str) -> Mapping[Name, OpenFact]:
        """Return the open facts of a scope."""
        ...

    def keep_fact(self, scope: str, name: Name, fact: OpenFact) -> None:
        """Note an open fact, or what its finding says now."""
        ...

    def drop_fact(self, finding: str) -> None:
        """Note that a fact has ended."""
        ...

    def put_waits(self, scope: str, waits: Sequence[Wait]) -> None:
        """Replace the waits of a scope."""
        ...

    def looked_at(self, scope: str, at_ms: int) -> None:
        """Note when a scope was looked at."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Applies looks.

    Attributes:
        kept: where open facts and waits are kept.
        noting: where findings go.
    """

    kept: FactStore
    noting: Noting

    def apply(self, looked: Looked) -> None:
        """Make findings and waits of a scope what a look found."""
        before = self.kept.open_facts(looked.scope)
        found: set[Name] = set()
        for fact in looked.watched.facts:
            name = (str(fact.kind), fact.key)
            found.add(name)
            self._note(looked, fact, before.get(name))
        for name, old in before.items():
            if name not in found:
                self.noting.resolve(old.finding, looked.at_ms)
                self.kept.drop_fact(old.finding)
        self.kept.put_waits(looked.scope, looked.watched.waits)
        self.kept.looked_at(looked.scope, looked.at_ms)

    def take(self, record: FindingRecord) -> None:
        """Take up what the log says became of a fact."""
        store = self.noting.store
        if record.state == "resolved":
            store.close_finding(record.id, record.at)
            self.kept.drop_fact(record.id)
            return
        about = About(
            kind=record.type, subject=record.subject, site=record.site, severity=record.severity
        )
        if record.state == "open":
            store.put_finding(record.id, about, record.at, encode_detail(record.detail))
        else:
            detail = encode_detail(record.detail)
            store.touch_finding(record.id, record.at, detail, severity=record.severity)
        name = (record.type, str(record.detail["key"]))
        fact = OpenFact(finding=record.id, said=_said(record.detail, record.severity))
        self.kept.keep_fact(str(record.detail["scope"]), name, fact)

    def _note(self, looked: Looked, fact: Fact, old: OpenFact | None) -> None:
        about = About(
            kind=str(fact.kind), subject=fact.subject, site=fact.site, severity=fact.severity
        )
        before = None if old is None else msgspec.json.decode(old.said, type=dict[str, Any])
        detail = detail_of(fact, looked.scope)
        if before is not None:  # it began when it was first found, whatever a look can still tell
            detail["since_ms"] = min(fact.since_ms, before["since_ms"])
        said = _said(detail, fact.severity)
        if old is None or before is None:
            key = self.noting.open(about, f"{looked.scope}/{fact.key}", looked.at_ms, detail)
        elif said == old.said:
            return
        else:
            key = old.finding
            grown = _grown(detail, before)
            self.noting.changed(key, about, looked.at_ms, detail=detail, grown=grown)
        name = (str(fact.kind), fact.key)
        self.kept.keep_fact(looked.scope, name, OpenFact(finding=key, said=said))


def detail_of(fact: Fact, scope: str) -> dict[str, Any]:
    """Return what a finding says of a fact."""
    return {
        "chips": list(fact.chips),
        "events": list(fact.events),
        "key": fact.key,
        "owner": fact.owner.party,
        "owner_role": str(fact.owner.role),
        "pieces": fact.pieces,
        "scope": scope,
        "since_ms": fact.since_ms,
        "tpp": fact.tpp,
        "what": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in fact.detail.items()
        },
    }


def _said(detail: Mapping[str, Any], severity: Severity) -> bytes:
    return encode_canonical({**detail, "severity": str(severity)})


def _grown(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Tell whether a fact is more than it was, or is about something it was not about."""
    return (
        new["pieces"] > old["pieces"]
        or new["tpp"] > old["tpp"]
        or not {*new["chips"]} <= {*old["chips"]}
        or not {*new["events"]} <= {*old["events"]}
    )
