"""Hosts as readers are shown them."""

from collections.abc import Iterable, Sequence
from typing import Final

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.inventory import Inventory, PciKind
from chipledger_server.usecases.book.reconcile import settle_site
from chipledger_server.usecases.physical import Claim, Patience, Reading, Settled
from chipledger_server.usecases.reading import HostFacts, HostsAsked
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.views import (
    ChainLink,
    Device,
    HostDetail,
    HostState,
    HostSummary,
    View,
)

RUNS_SHOWN: Final = 50
LINKS_SHOWN: Final = 25


def list_hosts(
    look: Look, *, after: str, limit: int | None, site: str | None = None
) -> list[HostSummary]:
    """Return hosts in the order of their ids."""
    asked = HostsAsked(when=look.when, scope=look.scope, site=site)
    facts = look.snapshot.hosts(asked, after=after, limit=limit)
    patience = look.patience()
    if site is not None:  # one question for the whole site instead of one a host
        claims = look.snapshot.claims(look.when, site=site)
        held: dict[str, list[Claim]] = {}
        for claim in claims:
            held.setdefault(claim.host, []).append(claim)
        return [_summary(look, one, held.get(one.id, ()), patience) for one in facts]
    return [
        _summary(look, one, look.snapshot.claims(look.when, host=one.id), patience) for one in facts
    ]


def host_detail(look: Look, host: str) -> HostDetail:
    """Return one host.

    Raises:
        Refusal: `unknown-host`, also for a host of a site the reader may not see.
    """
    facts = host_facts(look, host)
    own = settled_on(look, facts)
    links = look.snapshot.chain(host, look.when, before=None, limit=LINKS_SHOWN)
    inventory = None if facts.inventory is None else look.snapshot.inventory(facts.inventory)
    driver = inventory.driver if inventory else None
    library = inventory.provider.library if inventory else None
    return HostDetail(
        host=_summary(look, facts, [one.claim for one in own], look.patience()),
        seq=links[0].seq if links else 0,
        head=links[0].token if links else None,
        missing=tuple(facts.missing),
        scan_status=str(inventory.status) if inventory else None,
        driver=driver.version if driver else None,
        kernel_module=driver.kernel_module if driver else None,
        nvml_library=library.path if library else None,
        inventory=None if facts.inventory is None else b64url_encode(facts.inventory),
        keys=tuple(look.snapshot.keys(host, look.when)),
        views=_views(inventory),
        devices=tuple(devices(look, own)),
        evidence=look.snapshot.newest_round(host, look.when),
        runs=tuple(look.snapshot.runs(host, look.when, limit=RUNS_SHOWN)),
        chain=tuple(links),
    )


def chain(look: Look, host: str, *, before: int | None, limit: int) -> Sequence[ChainLink]:
    """Return a host's tokens, newest number first.

    Raises:
        Refusal: `unknown-host`.
    """
    host_facts(look, host)
    return look.snapshot.chain(host, look.when, before=before, limit=limit)


def devices(look: Look, settled: Sequence[Settled]) -> list[Device]:
    """Return devices of newest inventories and what they count as.

    A PDI that only hosts of other sites reported is not told to a reader who may not see them.
    """
    named = {one.claim.pdi for one in settled if one.claim.pdi is not None}
    seen = look.snapshot.names_seen(named, scope=look.scope)
    return [
        _device(look, one, pdi=one.claim.pdi if one.claim.pdi in seen else None) for one in settled
    ]


def _device(look: Look, one: Settled, *, pdi: str | None) -> Device:
    claim = one.claim
    model = look.model(claim.model)
    return Device(
        place=claim.place,
        chip=claim.chip,
        reading=claim.reading,
        standing=one.standing,
        grade=one.grade,
        sku=model.sku if model else None,
        name=claim.name,
        uuid=claim.uuid,
        pdi=pdi,
        serial=claim.serial,
        bdf=claim.bdf,
    )


def settled_on(look: Look, host: HostFacts) -> list[Settled]:
    """Return what each device of a host comes to."""
    settled = settle_site(look.snapshot, host.site, look.when, look.patience())
    return [one for one in settled if one.claim.host == host.id]


def host_facts(look: Look, host: str) -> HostFacts:
    """Return what is stored of a host.

    Raises:
        Refusal: `unknown-host`, also for a host of a site the reader may not see.
    """
    asked = HostsAsked(when=look.when, scope=look.scope, host=host)
    facts = next(iter(look.snapshot.hosts(asked, after="", limit=1)), None)
    if facts is None:
        raise Refusal(
            Code.UNKNOWN_HOST,
            f"there is no host {host} that you may see at this time",
            hint="check the id, and the time you look at",
        )
    return facts


def _summary(
    look: Look, facts: HostFacts, claims: Iterable[Claim], patience: Patience
) -> HostSummary:
    listed = list(claims)
    read = [claim for claim in listed if claim.reading is Reading.READ]
    signed = sum(patience.signed(claim.signed_ms, look.when.as_of_ms) for claim in read)
    return HostSummary(
        id=facts.id,
        site=facts.site,
        hardware=facts.hardware,
        provider=facts.provider,
        key_tier=facts.key_tier,
        enrolled_ms=facts.enrolled_ms,
        state=_state(facts, patience, look.when.as_of_ms),
        last_fresh_ms=facts.last_fresh_ms,
        chips_read=len(read),
        chips_signed=signed,
        chips_uncounted=len(listed) - len(read),
    )


def _state(facts: HostFacts, patience: Patience, at_ms: int) -> HostState:
    if facts.retired_ms is not None and facts.retired_ms <= at_ms:
        return "retired"
    if facts.last_fresh_ms is None:
        return "never-seen"
    return "silent" if patience.silent(facts.last_fresh_ms, at_ms) else "fresh"


def _views(inventory: Inventory | None) -> tuple[View, ...]:
    """Return how many GPUs each of the three views lists; a host that lies must lie in all."""
    if inventory is None:
        return ()
    gpus = sum(function.kind is PciKind.GPU for function in inventory.pci)
    unread = inventory.unread
    return (
        View(view="nvml", gpus=inventory.device_count),
        View(view="pci", gpus=None if "pci" in unread else gpus),
        View(view="kernel-module", gpus=None if "proc" in unread else len(inventory.proc)),
    )
