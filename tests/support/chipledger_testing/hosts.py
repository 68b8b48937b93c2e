"""Simulated hosts that sign real tokens: keys from fixed seeds, inventories of real shapes.

No agent and no NVML here: this is the other side of the collector's doors, for tests and for
the bench. A host keeps its chain as an agent does, and can be made to misbehave.
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from chipledger_evidence.claims import AnyClaims, FullReport, Heartbeat
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.enrolment import EnrolmentRequest, KeyTier, sign_enrolment
from chipledger_evidence.ids import NO_PREVIOUS, sha256_b64, ueid
from chipledger_evidence.inventory import (
    Chip,
    Counters,
    Driver,
    Fabric,
    Inforom,
    Inventory,
    Library,
    Limits,
    PciFunction,
    PciIds,
    PciKind,
    ProcGpu,
    Provider,
    Repair,
    Status,
    Unread,
)
from chipledger_evidence.keys import Algorithm
from chipledger_evidence.token import Token, sign_token
from chipledger_testing.keys import SeededSigner

NO_NONCE = "A" * 43
EPOCH_S = 1_790_000_000
"""When the boards of simulated chips were new enough, Unix seconds."""


_H100 = Chip(
    index=0,
    board_part="692-2G520-0200-000",
    multi_gpu_board=0,
    name="NVIDIA H100 80GB HBM3",
    brand=14,
    architecture=9,
    compute_capability="9.0",
    cores=16896,
    memory_bus_bits=5120,
    memory_bytes=85520809984,
    bar1_bytes=137438953472,
    vbios="96.00.99.00.01",
    inforom=Inforom(image="G520.0200.00.05", oem="2.1", ecc="7.16"),
    fabric=Fabric(cluster="00" * 16, clique=0, state=3, status=0),
    ecc_mode=1,
    limits=Limits(
        power_default=700000,
        power_min=200000,
        power_max=700000,
        sm_clock_max=1980,
        mem_clock_max=2619,
    ),
    repair=Repair(
        channel_repair_pending=0,
        tpc_repair_pending=0,
        remap_banks_max=1280,
        remap_pending=0,
        remap_failed=0,
    ),
    virtualization=0,
    gsp_version="570.124.06",
    gsp_mode=1,
    addressing=1,
    bus_type=2,
    nvlinks=18,
    unread={"c2c": Unread(nvml=3), "inforom.power": Unread(nvml=3)},
)
_LIBRARY = Library(
    path="/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    sha256=hashlib.sha256(b"libnvidia-ml").hexdigest(),
    size_bytes=2078360,
    owner_uid=0,
    mode=0o755,
)
_DRIVER = Driver(
    version="570.124.06",
    nvml_version="12.570.124.06",
    cuda_version=12080,
    kernel_module="570.124.06",
)


def chip_of(seed: str, index: int) -> Chip:
    """Return an H100 SXM5 as an agent of the day reports it; the seed makes it unique."""
    mark = hashlib.sha256(f"chip/{seed}/{index}".encode()).hexdigest()
    return msgspec.structs.replace(
        _H100,
        index=index,
        uuid=f"GPU-{mark[:8]}-{mark[8:12]}-{mark[12:16]}-{mark[16:20]}-{mark[20:32]}",
        pdi=mark[32:48],
        serial=f"165{int(mark[48:58], 16) % 10**10:010d}",
        board_id=_bus(index) << 8,
        pci=PciIds(bdf=_bdf(index), device="233010de", subsystem="16c110de", class_code=0x030200),
        minor=index,
        module_id=index + 1,
        inforom_checksum=int(mark[58:64], 16),
        numa_node=index // 4,
    )


def inventory_of(*chips: Chip, provider: str = "nvml") -> Inventory:
    """Return what a healthy scan of `chips` says: three views that agree."""
    return Inventory(
        status=Status.OK,
        provider=Provider(kind=provider, library=_LIBRARY),
        driver=_DRIVER,
        device_count=len(chips),
        chips=chips,
        pci=tuple(
            PciFunction(
                bdf=chip.pci.bdf,
                kind=PciKind.GPU,
                device=chip.pci.device,
                subsystem=chip.pci.subsystem,
                class_code="030200",
                revision="a1",
                driver="nvidia",
                numa_node=chip.numa_node,
            )
            for chip in chips
            if chip.pci is not None
        ),
        proc=tuple(
            ProcGpu(
                bdf=chip.pci.bdf,
                model=chip.name,
                uuid=chip.uuid,
                vbios=chip.vbios,
                minor=str(chip.minor),
                firmware=chip.gsp_version,
                excluded="No",
            )
            for chip in chips
            if chip.pci is not None
        ),
        hardware="Supermicro SYS-821GE-TNHR",
    )


@dataclass(slots=True)
class SimulatedHost:
    """A host with a key, an inventory and a chain.

    Attributes:
        seed: makes key, chips and identity; the same seed is the same host.
        alg: algorithm of its key.
        site: site it was enrolled for.
        host: id it was given.
        seq: place of its newest token.
        prev: identity of its newest token.
        now_s: its clock.
        boot: which boot of it this is.
        inventory: what it sees.
    """

    seed: str
    alg: Algorithm = "ES256"
    site: str = ""
    host: str = ""
    seq: int = 0
    prev: str = NO_PREVIOUS
    now_s: int = 0
    boot: int = 1
    inventory: Inventory = field(
        default_factory=lambda: Inventory(status=Status.OK, provider=Provider(kind="nvml"))
    )
    signer: SeededSigner = field(init=False)
    _inv: tuple[Inventory, str] | None = None

    def __post_init__(self) -> None:
        self.signer = SeededSigner(self.seed, alg=self.alg)

    @property
    def ueid(self) -> str:
        """EAT identity of the host."""
        return ueid("host", hashlib.sha256(f"host/{self.seed}".encode()).digest())

    @property
    def inv(self) -> str:
        """Digest of the present inventory."""
        if self._inv is None or self._inv[0] is not self.inventory:
            self._inv = (self.inventory, sha256_b64(encode_canonical(self.inventory)))
        return self._inv[1]

    def enrolment(self, code: str, *, serials: tuple[str, ...] = ()) -> bytes:
        """Return a signed enrolment request."""
        request = EnrolmentRequest(
            code=code,
            iat=self.now_s,
            jwk=self.signer.public.jwk,
            provider=self.inventory.provider.kind,
            tier=KeyTier.SOFTWARE,
            ueid=self.ueid,
            serials=serials,
        )
        return sign_enrolment(request, self.signer)

    def full(self, nonce: str, **changes: object) -> Token:
        """Return the next token: a full report."""
        return self._sign(FullReport, nonce, changes)

    def heartbeat(self, nonce: str, **changes: object) -> Token:
        """Return the next token: a heartbeat."""
        return self._sign(Heartbeat, nonce, changes)

    def _sign(
        self, profile: type[FullReport | Heartbeat], nonce: str, changes: dict[str, object]
    ) -> Token:
        token = sign_token(self._claims(profile, nonce, changes), self.signer)
        self.seq, self.prev = self.seq + 1, token.identity
        return token

    def _counters(self, chip: Chip) -> Counters:
        """Return odometers that go with the chip, wherever it is, and with time."""
        mark = int((chip.pdi or chip.uuid or "0").removeprefix("GPU-")[:4], 16) % 1000
        seconds = self.now_s - EPOCH_S if self.now_s else 3600 * self.seq
        return Counters(
            ecc_corrected=2,
            ecc_uncorrected=0,
            rows_corrected=0,
            rows_uncorrected=0,
            bbx_seconds=31_000_000 + mark + seconds,
        )

    def _claims(
        self, profile: type[FullReport | Heartbeat], nonce: str, changes: dict[str, object]
    ) -> AnyClaims:
        said: dict[str, object] = {
            "bootseed": sha256_b64(f"boot/{self.seed}/{self.boot}".encode()),
            "counters": tuple(map(self._counters, self.inventory.chips)),
            "eat_nonce": nonce,
            "host": self.host,
            "iat": self.now_s,
            "inv": self.inv,
            "prev": self.prev,
            "seq": self.seq + 1,
            "site": self.site,
            "uptime": 86_400 + 3600 * self.seq,
        }
        if profile is FullReport:
            said |= {
                "inventory": self.inventory,
                "swname": "chipledger-agent",
                "swversion": "0.1.0",
                "ueid": self.ueid,
            }
        return profile(**(said | changes))  # type: ignore[arg-type]


def simulated(seed: str, *, chips: int = 8, alg: Algorithm = "ES256") -> SimulatedHost:
    """Return a host with `chips` healthy chips of its own."""
    inventory = inventory_of(*(chip_of(seed, index) for index in range(chips)))
    return SimulatedHost(seed=seed, alg=alg, inventory=inventory)


def _bus(index: int) -> int:
    return (0x19, 0x3B, 0x4C, 0x5D, 0x9B, 0xBB, 0xCB, 0xDB)[index % 8]


def _bdf(index: int) -> str:
    return f"{index // 8:04x}:{_bus(index):02x}:00.0"


def random_like(seed: str) -> str:
    """Return 32 bytes that look random and are the same for ever, base64url."""
    return b64url_encode(hashlib.sha256(f"random/{seed}".encode()).digest())
