"""Where samples are kept: a plan, and the steps that follow it, none of them ever changed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from chipledger_book.counts.population import Population
from chipledger_book.counts.sampling import Plan
from chipledger_server.usecases.book.entry import Ledger
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.reading import Reads


class Step(StrEnum):
    """What follows a plan."""

    ANNOUNCED = "announced"  # the auditor lets the operator know
    DRAWN = "drawn"  # the seed is shown, and decides
    COUNTED = "counted"  # a sheet of scans was taken; the newest one holds
    CONCLUDED = "concluded"  # the auditor's statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan as it was committed to.

    Attributes:
        id: digest of the plan; names the sample everywhere.
        seed_by: who made the seed: the auditor, or the collector for the auditor.
        answer_within_ms: how long after the draw a chip may take to answer.
        planned_ms: when plan and commitment went into the log.
        principal: the auditor who planned it.
        chips: size of the population.
    """

    id: str
    site: str
    plan: Plan
    seed_by: Literal["auditor", "collector"]
    answer_within_ms: int
    planned_ms: int
    principal: str
    chips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One step of a sample.

    Attributes:
        number: 0 of what happens once; of sheets 1 and up.
        digest: of `body`: base64url of its SHA-256.
        body: the sample, the sheet as it was sent, or the count; empty of an announcement.
        note: what a person said with it: why the population may differ; who inspected.
        due_ms: of a draw: until when chips are to answer.
    """

    sample: str
    step: Step
    number: int
    at_ms: int
    principal: str
    digest: str
    body: bytes
    note: str = ""
    due_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What shows that a chip answered within some time.

    Attributes:
        chip: the collector's id.
        site: site of the host that it answered through.
        host: that host.
        at_ms: when its newest answer arrived.
        by: its own signature, or a fresh report of its host that lists it.
        token: the report, by its digest.
        counts: whether the claim of that host on the chip counts; one in dispute does not.
    """

    chip: int
    site: str
    host: str
    at_ms: int
    by: Literal["chip-signature", "host-report"]
    token: str
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Which chip of the collector a name stands for; a board's serial may name several."""

    name: str
    chip: int


class SampleStore(Protocol):
    """Samples; each plan and step is kept with its log record, or not at all."""

    def plans(self, site: str) -> Sequence[Planned]:
        """Return the plans of a site, newest first."""
        ...

    def plan(self, site: str, key: str) -> Planned | None:
        """Return one plan of a site."""
        ...

    def population(self, key: str) -> Population | None:
        """Return what a plan was made for."""
        ...

    def steps(self, site: str) -> Sequence[Taken]:
        """Return the steps of all samples of a site in their order, without bodies."""
        ...

    def taken(self, key: str) -> Sequence[Taken]:
        """Return the steps of one sample in their order."""
        ...

    def commit(self, planned: Planned, population: Population, record: Draft) -> bool:
        """Keep a plan; False when its commitment was used before."""
        ...

    def take(self, taken: Taken, record: Draft) -> bool:
        """Keep a step; False when there is one of that number."""
        ...

    def heard(self, chips: Collection[int], *, after_ms: int, until_ms: int) -> Sequence[Heard]:
        """Return what was heard of chips after a time and up to another, on every host."""
        ...

    def named(self, names: Collection[str]) -> Sequence[Named]:
        """Return the chips that PDIs, UUIDs and board serials name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDesk:
    """What sampling works with.

    Attributes:
        store: plans and steps.
        reads: everything that can be looked at.
        ledger: where a count is entered.
        measures: what was known at → tables and policy that hold then.
    """

    store: SampleStore
    reads: Reads
    ledger: Ledger
    measures: Callable[[int], Measure]
