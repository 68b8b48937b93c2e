"""The commands. Each takes the agent's parts and the parsed arguments and returns an exit code."""

import argparse
import re
import sys
from pathlib import Path

from chipledger_agent.cli import show
from chipledger_agent.cli.doctor import Verdict, examine
from chipledger_agent.cli.exits import Exit, exit_of_outcome
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.wiring import Agent
from chipledger_evidence.inventory import Status

_MAX_CODE_CHARACTERS = 1024
_CODE = re.compile(r"^ce-[a-z2-7]{32}$")


def scan(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Look at this machine once, print what was seen, and send nothing."""
    found = agent.scanner(override=arguments.library).scan()
    if arguments.json:
        show.as_json(show.scan_facts(found))
    else:
        show.lines(show.scan_lines(found))
    return Exit.OK if found.inventory.status is Status.OK else Exit.SCAN


def once(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Make one report, deliver all that waits, and end."""
    lock = agent.lock()
    try:
        outcome = agent.cycle().run()
    finally:
        lock.release()
    if arguments.json:
        show.as_json(show.outcome_facts(outcome))
    else:
        show.lines(show.outcome_lines(outcome))
    return exit_of_outcome(outcome)


def run(agent: Agent, _: argparse.Namespace) -> Exit:
    """Report on a schedule until told to stop."""
    lock = agent.lock()
    try:
        agent.daemon().run()
    finally:
        lock.release()
    return Exit.OK


def enroll(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Ask the collector to take this host's key; the same again gives the same answer."""
    code = _read_code(arguments.code_file)
    lock = agent.lock()
    try:
        enrolment = agent.enrol(code)
    finally:
        lock.release()
    if arguments.json:
        show.as_json(enrolment)
    else:
        show.lines(show.enrolment_lines(enrolment))
    return Exit.OK


def rotate(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Replace this host's key by a new one, which the present key lets in."""
    lock = agent.lock()
    try:
        enrolment = agent.rotate()
    finally:
        lock.release()
    if arguments.json:
        show.as_json(enrolment)
    else:
        show.lines(show.enrolment_lines(enrolment))
    return Exit.OK


def status(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Say where this host stands, from its own files alone."""
    enrolment = agent.enrolment()
    spool = agent.spool(enrolment.host)
    facts: dict[str, object] = {
        "host": enrolment.host,
        "site": enrolment.site,
        "collector": agent.config.collector.url,
        "key": agent.keyring().present(enrolment.kid).signer.public.kid,
        "tier": str(enrolment.tier),
    }
    if (agent.config.state_dir / "chains" / enrolment.host).is_dir():
        usage, state = spool.usage(), agent.states(enrolment.host, agent.journal()).load()
        facts |= {
            "seq": spool.head().seq,
            "acknowledged": spool.acknowledged(),
            "waiting": len(spool.waiting()),
            "waiting_bytes": usage.size_bytes,
            "refused": len(spool.untold()),
            "skipped": spool.skipped(),
            "last_contact_s": state.contact_s if state else 0,
        }
    if arguments.json:
        show.as_json(facts)
        return Exit.OK
    contact_s = facts.pop("last_contact_s", None)
    if isinstance(contact_s, int):
        facts["last_contact"] = show.moment(contact_s, now_s=agent.clock.now_s())
    show.lines(show.table(facts))
    return Exit.OK


def doctor(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Explain, step by step, whether reports can be made and delivered here."""
    findings = list(examine(agent, config=arguments.config))
    if arguments.json:
        show.as_json({"findings": findings})
    else:
        for finding in findings:
            hint = (
                "\n      -> " + finding.hint.replace("\n", "\n" + 9 * " ") if finding.hint else ""
            )
            show.lines([f"{finding.verdict:5} {finding.step}: {finding.detail}{hint}"])
    bad = any(finding.verdict is Verdict.BAD for finding in findings)
    return Exit.UNHEALTHY if bad else Exit.OK


def capture(agent: Agent, arguments: argparse.Namespace) -> Exit:
    """Record every NVML answer of this machine, without any identifier, for its test double."""
    taken = agent.capture(override=arguments.library)
    if taken.failed_calls:
        show.aside(f"capture: {taken.failed_calls} of {taken.calls} calls failed")
    if arguments.output is None:
        sys.stdout.write(taken.document.decode() + "\n")
        return Exit.OK
    try:
        arguments.output.write_bytes(taken.document)
    except OSError as error:
        raise AgentError(AgentCode.CAPTURE_FAILED, f"{arguments.output}: {error}") from error
    written = {
        "file": str(arguments.output),
        "bytes": len(taken.document),
        "calls": taken.calls,
        "failed_calls": taken.failed_calls,
    }
    if arguments.json:
        show.as_json(written)
    else:
        show.lines(show.table(written))
    return Exit.OK


def _read_code(file: Path | None) -> str:
    """Return the enrolment code: the first line of `file`, or of standard input."""
    try:
        if file is None:
            text = sys.stdin.readline(_MAX_CODE_CHARACTERS)
        else:
            text = file.read_text(encoding="ascii")[:_MAX_CODE_CHARACTERS]
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(AgentCode.CODE_UNREADABLE, f"{file}: {error}") from error
    code = text.strip().partition("\n")[0].strip()
    if _CODE.fullmatch(code) is None:
        raise AgentError(
            AgentCode.CODE_UNREADABLE,
            f"{file or 'standard input'} holds no enrolment code",
            hint="a code is `ce-` and 32 characters, a secret that the collector's people give out",
        )
    return code
