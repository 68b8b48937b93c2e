"""What readers are shown of a sample; see :mod:`chipledger_server.usecases.sampling.showing`."""

from chipledger_server.usecases.views import Answer, Digest


class StratumView(Answer, frozen=True, kw_only=True):
    """One stratum of a plan; the whole population as the last, where the hole is one."""

    sku: str | None
    grade: str | None
    chips: int
    hole_chips: int
    sample: int
    exact: int
    short: int
    achieved_ppm: int


class SampledHole(Answer, frozen=True, kw_only=True):
    """What must not go unseen: so many `chips`, a `share` of them in millionths, or `tpp`."""

    by: str
    amount: int


class PlanView(Answer, frozen=True, kw_only=True):
    """What a plan draws, and what that finds.

    Attributes:
        digest: names plan and sample.
        commitment: SHA-256 of the seed.
        hole: what must not go unseen.
        words: the same in sentences for a report.
    """

    digest: Digest
    population: Digest
    commitment: str
    confidence_ppm: int
    hole: SampledHole
    scope: str
    split: tuple[str, ...]
    chips: int
    sample: int
    achieved_ppm: int
    strata: tuple[StratumView, ...]
    whole: StratumView | None
    words: tuple[str, ...]


class AnswerView(Answer, frozen=True, kw_only=True):
    """What shows that a chip answered.

    Attributes:
        by: `chip-signature`, or `host-report`: its host's word in a fresh report.
        grade: G3 or G1.
        token: the report, by its digest.
    """

    by: str
    grade: str
    host: str
    at_ms: int
    token: Digest


class UnitView(Answer, frozen=True, kw_only=True):
    """One drawn chip, and everything that is known of it.

    Attributes:
        planned_grade: how it was known when the population was frozen; G0: by papers alone.
        chip: the collector's id, where it was ever seen.
        challenge: `awaiting`, `answered` or `not-answered`.
        answer: what shows that it answered, from this site.
        elsewhere: where it was heard instead: another site, or in dispute.
        outcome: what people found; null before a sheet was taken.
        counts: it was seen, and it has answered.
    """

    number: int
    unit: str
    sku: str | None
    planned_grade: str
    host: str | None
    place: str | None
    server: str | None
    board: str | None
    pdi: str | None
    uuid: str | None
    chip: int | None
    challenge: str
    answer: AnswerView | None
    elsewhere: str | None
    outcome: str | None
    counts: bool
    seen_at: tuple[str, ...]
    remarks: tuple[str, ...]


class ScanView(Answer, frozen=True, kw_only=True):
    """A scan that is no drawn chip, and what is known of its name.

    Attributes:
        known: in words; chips of other sites are named without their site to who may not see it.
    """

    scanned: str
    rows: tuple[int, ...]
    seen_at: tuple[str, ...]
    units: tuple[str, ...]
    known: str


class CountView(Answer, frozen=True, kw_only=True):
    """What the newest sheet comes to, in four piles, with the answers heard by now.

    Attributes:
        found: seen at their place.
        elsewhere: seen at another place, or at two.
        unknown: scans that name no chip of the population.
        missing: not there, or refused to be seen.
        not_drawn: scans of chips of the population that were not drawn; they add nothing.
        bound: largest hole, in chips, that the count leaves room for at the plan's confidence.
        awaited: chips that were seen and may still answer.
        words: the result in sentences for a report.
    """

    verdict: str
    drawn: int
    counted: int
    achieved_ppm: int
    planned_ppm: int
    bound: int | None
    awaited: int
    found: tuple[UnitView, ...]
    elsewhere: tuple[UnitView, ...]
    unknown: tuple[ScanView, ...]
    missing: tuple[UnitView, ...]
    not_drawn: tuple[ScanView, ...]
    words: tuple[str, ...]


class SheetView(Answer, frozen=True, kw_only=True):
    """A sheet that was taken."""

    number: int
    at_ms: int
    principal: str
    digest: Digest


class SampleSummary(Answer, frozen=True, kw_only=True):
    """One sample of a site.

    Attributes:
        stage: `planned`, `drawn`, `counted` or `concluded`.
        announced_ms: since when the operator knows of it, or null.
        plan: null to an operator before the count is concluded.
    """

    id: Digest
    site: str
    stage: str
    planned_ms: int
    principal: str
    announced_ms: int | None
    drawn_ms: int | None
    due_ms: int | None
    concluded_ms: int | None
    plan: PlanView | None


class SamplesPage(Answer, frozen=True, kw_only=True):
    """The samples of a site that you may know of, newest first."""

    items: tuple[SampleSummary, ...]


class SampleDetail(Answer, frozen=True, kw_only=True):
    """One sample.

    Attributes:
        seed: shown once it has drawn.
        seed_by: who made it: `auditor` or `collector`.
        population_change: how the population differed at the draw, and why it was drawn.
        units: drawn chips with what was heard of each; empty to an operator before the end.
        count: what the newest sheet comes to; null before one was taken.
        inspector: who counted, once concluded.
        event: the statement in the ledger, once it is there.
    """

    sample: SampleSummary
    seed: str | None
    seed_by: str
    drawn_digest: Digest | None
    population_change: str
    units: tuple[UnitView, ...]
    sheets: tuple[SheetView, ...]
    count: CountView | None
    inspector: str | None
    event: Digest | None
