"""Results as text for people, or as one JSON object for programs."""

import sys
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from chipledger_agent.cycle import Outcome
from chipledger_agent.domain.claims import Scan
from chipledger_agent.domain.failures import AgentError
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.inventory import Chip, inventory_digest


def as_json(value: Any) -> None:  # noqa: ANN401 - whatever a command found out
    """Print `value` as one JSON object."""
    encoded = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def lines(texts: Iterable[str]) -> None:
    """Print one text a line."""
    sys.stdout.write("".join(f"{text}\n" for text in texts))


def failure(error: AgentError) -> None:
    """Say on standard error what went wrong and what to do."""
    hint = "\n" + textwrap.indent(error.hint, "  ") if error.hint else ""
    sys.stderr.write(f"chipledger-agent: {error.code}: {error.detail}{hint}\n")


def aside(text: str) -> None:
    """Say on standard error what is no part of the result."""
    sys.stderr.write(f"chipledger-agent: {text}\n")


def moment(unix_s: int, *, now_s: int) -> str:
    """Return a time in UTC and its age, for people; 0 is never."""
    if not unix_s:
        return "never"
    written = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    age_s = now_s - unix_s
    age = f"{_span(age_s)} ago" if age_s >= 0 else f"{_span(-age_s)} ahead of this clock"
    return f"{written} ({age})"


def _span(span_s: int) -> str:
    minutes, hours, days = span_s // 60, span_s // 3_600, span_s // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{span_s} s"


def scan_facts(scan: Scan) -> dict[str, object]:
    """Return a scan as a record: the statement that would be signed, and its digest."""
    return {
        "counters": scan.counters,
        "inv": inventory_digest(scan.inventory),
        "inventory": scan.inventory,
    }


def scan_lines(scan: Scan) -> Iterable[str]:
    """Describe a scan: what this host says of itself, nothing more."""
    inventory = scan.inventory
    yield f"status      {inventory.status} (self-reported by this host)"
    yield f"provider    {inventory.provider.kind}"
    yield f"driver      {inventory.driver.version or 'unknown'}"
    yield (
        f"views       NVML {len(inventory.chips)}, PCI {len(inventory.pci)} functions, "
        f"/proc {len(inventory.proc)}"
    )
    for chip in inventory.chips:
        yield _chip_line(chip)


def _chip_line(chip: Chip) -> str:
    if chip.lost is not None:
        reason = chip.lost.why or f"NVML error {chip.lost.nvml}"
        return f"  {chip.index:2}  lost: {reason}"
    bdf = chip.pci.bdf if chip.pci else "no PCI address"
    return f"  {chip.index:2}  {chip.name or 'unnamed'}  {chip.uuid or 'no UUID'}  {bdf}"


def outcome_facts(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as a record."""
    return {
        "failure": outcome.failure,
        "refused": outcome.refused,
        "retry_in_s": outcome.retry_in_s,
        "scan_status": outcome.scan_status,
        "signed": outcome.signed,
        "skipped": outcome.skipped,
        "stored": outcome.stored,
        "waiting": outcome.waiting,
    }


def outcome_lines(outcome: Outcome) -> Iterable[str]:
    """Describe what one run of the cycle came to."""
    for signed in outcome.signed:
        kind = f"full report ({signed.cause})" if signed.cause else "heartbeat"
        yield f"signed      report {signed.seq}, {kind}"
    if outcome.skipped:
        yield f"skipped     {outcome.skipped}: counted, and signed into the next report"
    yield f"stored      {outcome.stored} acknowledged by the collector"
    if outcome.refused:
        yield f"refused     {', '.join(outcome.refused)}"
    if outcome.waiting:
        yield f"waiting     {outcome.waiting} in the spool: {outcome.failure or 'not sent yet'}"


def enrolment_lines(enrolment: Enrolment) -> Iterable[str]:
    """Describe an enrolment."""
    yield f"host        {enrolment.host}"
    yield f"site        {enrolment.site}"
    yield f"collector   {enrolment.collector}"
    yield f"key         {enrolment.kid} ({enrolment.tier})"
    yield f"interval    {enrolment.interval_s} s, full report every {enrolment.full_interval_s} s"


def table(facts: Mapping[str, object]) -> Iterable[str]:
    """Describe a flat record."""
    width = max((len(name) for name in facts), default=0)
    return (f"{name:{width}}  {value}" for name, value in facts.items())
