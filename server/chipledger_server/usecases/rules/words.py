"""What rule sets say, in sentences for tables and screens alike."""

from collections.abc import Iterator
from typing import Final

from chipledger_book.rule_report import LimitUse, LimitVerdict, RulesView
from chipledger_server.usecases.rules.shelf import RuleProposal, State
from chipledger_server.usecases.words import number

VERDICTS: Final = {
    LimitVerdict.WITHIN: "within",
    LimitVerdict.EXCEEDED: "exceeded",
    LimitVerdict.DUE: "due",
    LimitVerdict.NOT_DUE: "not due",
    LimitVerdict.NO_LIMIT: "no limit holds the day",
    LimitVerdict.UNDETERMINED: "cannot be told from this ledger",
}
"""A limit's verdict in plain words."""

STATES: Final[dict[State, str]] = {
    "shipped": "shipped with the collector's first tables",
    "approved": "approved",
    "waits": "waits for a second person",
    "declined": "declined",
    "expired": "nobody decided it in its time",
    "offered": "comes with this software, not proposed here",
}
"""What became of a version, in plain words."""

UNITS: Final = {
    "tpp": "TPP",
    "pieces": "pieces",
    "dram_bandwidth_gb_s": "GB/s DRAM bandwidth",
    "density_milli": "thousandths of performance density",
    "memory_mib": "MiB",
}


def limit_words(use: LimitUse) -> str:
    """Return the numbers of a limit: what counts, and what it is held against."""
    unit = UNITS.get(use.unit, use.unit)
    counted = "not known" if use.used is None else number(use.used)
    if use.most is None:
        return f"{counted} {unit}"
    if use.effect in ("notice", "certificate"):
        return f"{counted} {unit}, due from {number(use.most)} on"
    whole = "" if use.total is None else f" of {number(use.total)}"
    return f"{counted}{whole} {unit}, at most {number(use.most)}"


def rule_lines(view: RulesView) -> Iterator[str]:
    """Yield what a rule set says of a site beside the ceilings."""
    need = "a licence is needed" if view.licence == "required" else "no licence is needed"
    yield f"rules: {view.rule_set} {view.version} ({view.status}): tier {view.tier}, {need}"
    if view.entity is not None:
        until = f" until {view.entity.valid_to}" if view.entity.valid_to else ""
        yield f"  as {view.entity.name} of {view.entity.list}{until}"
    for use in view.limits:
        part = f" {use.part}" if use.part else ""
        yield f"  {use.limit} ({use.of}{part}): {VERDICTS[use.verdict]}: {limit_words(use)}"
    if view.conditions:
        said = ", ".join(one.condition for one in view.conditions)
        yield f"  stated, not seen: {said}"
    if view.duties:
        yield f"  owed: {', '.join(one.duty for one in view.duties)}"


def proposal_words(one: RuleProposal) -> str:
    """Return what a proposal wants: ``load us-x 2`` or ``adopt us-x``."""
    return f"{one.wish} {one.table} {one.version}".rstrip()
