"""`doctor`: looks at everything a report needs, step by step, and says what to do."""

import shutil
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from chipledger_agent.adapters.durable import exposed
from chipledger_agent.config import load_config
from chipledger_agent.domain.chain import InStep, agree
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.wiring import Agent
from chipledger_evidence.answers import ChallengeRequest
from chipledger_evidence.inventory import PciKind, Status

CLOCK_ODD_S = 300
_LOW_SPACE_BYTES = 64 * 1024 * 1024


class Verdict(StrEnum):
    """What a step found."""

    GOOD = "good"
    NOTE = "note"  # could not be looked at, which is no fault of its own
    ODD = "odd"  # reports go on, but somebody should look
    BAD = "bad"  # reports cannot be made or delivered


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One step's result: what was looked at, what was found, what to do."""

    step: str
    verdict: Verdict
    detail: str
    hint: str = ""


def examine(agent: Agent, *, config: Path) -> Iterator[Finding]:
    """Yield one finding a step; a step that fails does not stop the next ones.

    Args:
        agent: the parts, made from whatever of the configuration could be read.
        config: the file, which is looked at first. Where it is refused, nobody is sent to.
    """
    first = _finding("configuration", lambda _: _configuration(config), agent)
    yield first
    refused = first.verdict is Verdict.BAD
    for name, step in _STEPS.items():
        if refused and name in _SENDING:
            yield Finding(
                step=name, verdict=Verdict.NOTE, detail="not asked before the configuration is good"
            )
        else:
            yield _finding(name, step, agent)


def _finding(name: str, step: Callable[[Agent], Finding], agent: Agent) -> Finding:
    try:
        return step(agent)
    except AgentError as error:
        return Finding(
            step=name,
            verdict=Verdict.BAD,
            detail=f"{error.code}: {error.detail}",
            hint=error.hint,
        )


def _configuration(path: Path) -> Finding:
    load_config(path)
    return Finding(step="configuration", verdict=Verdict.GOOD, detail=str(path))


def _folder(agent: Agent) -> Finding:
    folder = agent.config.state_dir
    if not folder.is_dir():
        return Finding(
            step="state folder",
            verdict=Verdict.BAD,
            detail=f"{folder} is not there",
            hint="`enroll` makes it; under systemd, StateDirectory= does",
        )
    free = shutil.disk_usage(folder).free
    low = free < _LOW_SPACE_BYTES
    return Finding(
        step="state folder",
        verdict=Verdict.ODD if low else Verdict.GOOD,
        detail=f"{folder}, {free // 2**20} MiB free",
        hint="free space before reports are skipped" if low else "",
    )


def _key(agent: Agent) -> Finding:
    key = agent.keyring().configured()
    public, loose = key.signer.public, exposed(key.path)
    where = "in a file (tier software)" if key.tpm is None else "in the TPM"
    if key.tpm is not None:
        key.signer.sign(b"")  # the TPM must be there, and load it
    return Finding(
        step="key",
        verdict=Verdict.BAD if loose else Verdict.GOOD,
        detail=loose or f"{public.alg} {public.kid}, {where}",
    )


def _enrolment(agent: Agent) -> Finding:
    enrolment = agent.enrolment()
    if agent.keyring().present(enrolment.kid).signer.public.kid != enrolment.kid:
        return Finding(
            step="enrolment",
            verdict=Verdict.BAD,
            detail=f"{enrolment.kid} was enrolled, but the key file holds another key",
            hint="put the enrolled key back, or enrol this one",
        )
    return Finding(
        step="enrolment",
        verdict=Verdict.GOOD,
        detail=f"{enrolment.host} at {enrolment.site}, by {enrolment.collector}",
    )


def _views(agent: Agent) -> Finding:
    scanner = agent.scanner()
    inventory = scanner.scan().inventory
    gpus = sum(function.kind is PciKind.GPU for function in inventory.pci)
    counts = f"NVML {len(inventory.chips)}, PCI {gpus}, /proc {len(inventory.proc)}"
    if inventory.status is not Status.OK:
        note = scanner.note.strip().splitlines()
        return Finding(
            step="driver views",
            verdict=Verdict.ODD,
            detail=f"{inventory.status}; chips: {counts}",
            hint=note[-1] if note else "the reason is signed into every report",
        )
    agreed = len({len(inventory.chips), gpus, len(inventory.proc)}) == 1
    return Finding(
        step="driver views",
        verdict=Verdict.GOOD if agreed else Verdict.ODD,
        detail=f"chips: {counts}; provider {inventory.provider.kind}",
        hint="" if agreed else "the views disagree, which the collector will ask about",
    )


def _evidence(agent: Agent) -> Finding:
    on = [source.name for source in agent.evidence_sources() if source.asks]
    every = f"{', '.join(on)}, every {agent.config.evidence.interval_s} s; not asked now"
    off = "no source is switched on: chips stay self-reported, and full reports say why"
    return Finding(step="device evidence", verdict=Verdict.GOOD, detail=every if on else off)


def _collector(agent: Agent) -> Finding:
    health = agent.collector().health()
    url = agent.config.collector.url
    if not health.working:
        return Finding(
            step="collector", verdict=Verdict.BAD, detail=f"{url} answers, but takes no reports"
        )
    if health.clock_s is None:
        return Finding(
            step="collector",
            verdict=Verdict.NOTE,
            detail=f"{url} takes reports; its answer has no Date, so the clocks were not compared",
        )
    offset_s = agent.clock.now_s() - health.clock_s
    odd = abs(offset_s) > CLOCK_ODD_S
    return Finding(
        step="collector",
        verdict=Verdict.ODD if odd else Verdict.GOOD,
        detail=f"{url} takes reports; this clock is {offset_s:+d} s against its own",
        hint="set this machine's clock: the collector makes a finding of it" if odd else "",
    )


def _chain(agent: Agent) -> Finding:
    enrolment = agent.enrolment()
    spool = agent.spool(enrolment.host)
    answer = agent.collector().challenge(ChallengeRequest(host=enrolment.host, kid=enrolment.kid))
    try:
        head, known, acknowledged = spool.head(), spool.known(), spool.acknowledged()
    except AgentError as error:
        if error.code != AgentCode.STORAGE_FAILED or answer.head.seq:
            raise
        return Finding(step="chain", verdict=Verdict.GOOD, detail="no report was made yet")
    agreement = agree(head=head, known=known, acknowledged=acknowledged, collector=answer.head)
    in_step = isinstance(agreement, InStep)
    return Finding(
        step="chain",
        verdict=Verdict.GOOD if in_step else Verdict.ODD,
        detail=f"ours ends at {head.seq}, the collector's at {answer.head.seq}",
        hint="" if in_step else f"the next report will mend it ({type(agreement).__name__})",
    )


def _spool(agent: Agent) -> Finding:
    enrolment = agent.enrolment()
    spool = agent.spool(enrolment.host)
    if not (agent.config.state_dir / "chains" / enrolment.host).is_dir():
        return Finding(step="spool", verdict=Verdict.GOOD, detail="empty, nothing was spooled yet")
    usage, refused, skipped = spool.usage(), spool.untold(), spool.skipped()
    odd = bool(refused or skipped or not spool.has_room())
    return Finding(
        step="spool",
        verdict=Verdict.ODD if odd else Verdict.GOOD,
        detail=f"{usage.reports} reports, {usage.size_bytes} bytes; {len(refused)} refused and "
        f"not told yet, {skipped} scans skipped",
        hint="the log says why" if odd else "",
    )


_STEPS: dict[str, Callable[[Agent], Finding]] = {
    "state folder": _folder,
    "key": _key,
    "enrolment": _enrolment,
    "driver views": _views,
    "device evidence": _evidence,
    "collector": _collector,
    "chain": _chain,
    "spool": _spool,
}
_SENDING = frozenset({"collector", "chain"})
