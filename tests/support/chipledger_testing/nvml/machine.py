"""One simulated GPU host, described in JSON: what NVML, sysfs and /proc answer on it.

A machine is a value. Tests start from a profile or a capture and change one thing::

    machine = profile("hgx-h100").with_gpu(3, handle=refuse(15))

Every field of `system` and of a GPU is an :class:`Answer`: a value, a refusal with an NVML
code, or raw bytes that no sane library would answer; each may be delayed. A field that is not
there is NotSupported (3), as on real hardware.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from chipledger_testing.nvml.pci import PciAddress, PciFunction, ProcGpu

FORMAT = "chipledger-machine-1"
Value = int | str | tuple[int, ...] | Mapping[str, int | str]
Json = Mapping[str, Any]

_MARKS = frozenset({"err", "bytes", "value", "delay_ms"})
_GPU_KEYS = frozenset({"pci", "handle", "lost_after_calls", "in_nvml", "mig_devices"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one NVML call answers for one field.

    Attributes:
        value: the good answer.
        err: the return code, when it is not 0.
        raw: bytes written over the answer's memory as they are, whatever they mean.
        delay_ms: told to the library's `delay` before answering; nothing sleeps by itself.
    """

    value: Value | None = None
    err: int | None = None
    raw: bytes | None = None
    delay_ms: int = 0


NOT_OFFERED = Answer(err=3)


def refuse(code: int) -> Answer:
    """Return an answer that is only the NVML return code `code`."""
    return Answer(err=code)


def junk(raw: bytes) -> Answer:
    """Return an answer of raw bytes."""
    return Answer(raw=raw)


Fields = Mapping[str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One device of the machine, defaults already filled in."""

    pci: PciFunction
    fields: Fields
    handle: Answer = Answer()
    lost_after_calls: int | None = None
    in_nvml: bool = True
    mig_devices: tuple[tuple[int, Fields], ...] = ()

    def answer(self, name: str) -> Answer:
        """Return the answer for field `name`; NotSupported when it is not described."""
        if name == "board_id":  # 27 of 27 captured GPUs: domain, bus and device packed
            return self.fields.get(name) or Answer(value=self.pci.address.board_id)
        return self.fields.get(name, NOT_OFFERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One host: three views that may be made to disagree.

    `gpus` is what NVML answers, `pci` what sysfs shows, `proc` what the kernel module shows
    (with `proc_version`, the text of /proc/driver/nvidia/version, or None for no module).
    """

    name: str
    system: Fields
    gpus: tuple[Gpu, ...]
    pci: tuple[PciFunction, ...]
    proc: tuple[ProcGpu, ...]
    proc_version: str | None
    excluded: tuple[tuple[PciFunction, str], ...] = ()
    absent_functions: frozenset[str] = frozenset()
    estimated: tuple[str, ...] = ()
    source: str = ""
    dmi: Mapping[str, str] = field(default_factory=dict)

    @property
    def driver_branch(self) -> int:
        """Major number of the driver version, 0 when it does not answer one."""
        value = self.system.get("driver_version", NOT_OFFERED).value
        head = value.partition(".")[0] if isinstance(value, str) else ""
        return int(head) if head.isdigit() else 0

    def with_gpu(self, index: int, **changes: Answer | Value) -> "Machine":
        """Return this machine with fields of one GPU changed.

        `handle` (Answer), `lost_after_calls` (int) and `in_nvml` (0 or 1) are properties of
        the device itself; every other name is an NVML field.
        """
        gpu = self.gpus[index]
        fields = dict(gpu.fields)
        for name, change in changes.items():
            answer = change if isinstance(change, Answer) else Answer(value=change)
            if name == "handle":
                gpu = replace(gpu, handle=answer)
            elif name == "lost_after_calls":
                gpu = replace(gpu, lost_after_calls=_integer(answer))
            elif name == "in_nvml":
                gpu = replace(gpu, in_nvml=bool(_integer(answer)))
            else:
                fields[name] = answer
        gpus = (*self.gpus[:index], replace(gpu, fields=fields), *self.gpus[index + 1 :])
        return replace(self, gpus=gpus)

    def with_system(self, **changes: Answer | Value) -> "Machine":
        """Return this machine with system-wide fields changed."""
        answers = {n: c if isinstance(c, Answer) else Answer(value=c) for n, c in changes.items()}
        return replace(self, system={**self.system, **answers})

    def with_mig(self, index: int, devices: Sequence[tuple[int, Fields]]) -> "Machine":
        """Return this machine with MIG children (placement index, fields) on one GPU."""
        gpu = replace(self.gpus[index], mig_devices=tuple(devices))
        return replace(self, gpus=(*self.gpus[:index], gpu, *self.gpus[index + 1 :]))

    def without_functions(self, *names: str) -> "Machine":
        """Return this machine with a library that lacks the functions `names`."""
        return replace(self, absent_functions=self.absent_functions | set(names))


def _integer(answer: Answer) -> int:
    if not isinstance(answer.value, int):
        raise TypeError(f"an integer is expected here, not {answer.value!r}")
    return answer.value


def parse_answer(node: object) -> Answer:
    """Return the answer a JSON node describes: a bare value or an object of marks."""
    if isinstance(node, dict) and node and node.keys() <= _MARKS:
        raw = node.get("bytes")
        value = parse_answer(node["value"]).value if "value" in node else None
        return Answer(
            value=value,
            err=node.get("err"),
            raw=None if raw is None else bytes.fromhex(raw),
            delay_ms=node.get("delay_ms", 0),
        )
    if isinstance(node, list):
        return Answer(value=tuple(int(item) for item in node))
    if isinstance(node, int | str | dict):
        return Answer(value=node)
    raise TypeError(f"not an answer: {node!r}")


def dump_answer(answer: Answer) -> object:
    """Return the JSON node of `answer`; the inverse of :func:`parse_answer`."""
    bare = answer.err is None and answer.raw is None and not answer.delay_ms
    value = list(answer.value) if isinstance(answer.value, tuple) else answer.value
    if bare and value is not None:
        return value
    marks: dict[str, object] = {}
    if answer.value is not None:
        marks["value"] = value
    if answer.err is not None:
        marks["err"] = answer.err
    if answer.raw is not None:
        marks["bytes"] = answer.raw.hex()
    if answer.delay_ms or not marks:
        marks["delay_ms"] = answer.delay_ms
    return marks


def parse_fields(node: Json) -> dict[str, Answer]:
    """Return the named answers of a JSON object."""
    return {name: parse_answer(value) for name, value in node.items()}


def _parse_gpu(node: Json, defaults: Json) -> Gpu:
    merged = {**defaults, **node, "pci": {**defaults.get("pci", {}), **node["pci"]}}
    fields = {n: parse_answer(v) for n, v in merged.items() if n not in _GPU_KEYS}
    migs = tuple(
        (entry["index"], parse_fields({k: v for k, v in entry.items() if k != "index"}))
        for entry in merged.get("mig_devices", ())
    )
    return Gpu(
        pci=PciFunction.parse(merged["pci"]),
        fields=fields,
        handle=parse_answer(merged.get("handle", {"delay_ms": 0})),
        lost_after_calls=merged.get("lost_after_calls"),
        in_nvml=merged.get("in_nvml", True),
        mig_devices=migs,
    )


def parse_machine(document: Json) -> Machine:
    """Return the machine a JSON document describes.

    Without `sysfs` and `proc` the two trees are what an honest host shows: the GPUs NVML
    lists, plus `other_functions` (switches, audio functions).
    """
    if document.get("format") != FORMAT:
        raise ValueError(f"not a machine description: format {document.get('format')!r}")
    defaults = document.get("defaults", {})
    gpus = tuple(_parse_gpu(node, defaults) for node in document["gpus"])
    others = tuple(PciFunction.parse(node) for node in document.get("other_functions", ()))
    pci = (
        tuple(PciFunction.parse(node) for node in document["sysfs"])
        if "sysfs" in document
        else (
            *(gpu.pci for gpu in gpus),
            *others,
        )
    )
    proc = (
        tuple(ProcGpu.parse(node) for node in document["proc"])
        if "proc" in document
        else tuple(honest_proc(gpu) for gpu in gpus)
    )
    system = parse_fields(document["system"])
    return Machine(
        name=document["name"],
        system=system,
        gpus=gpus,
        pci=pci,
        proc=proc,
        proc_version=document.get("proc_version", _module_text(system)),
        excluded=tuple(
            (PciFunction.parse(node["pci"]), node["uuid"]) for node in document.get("excluded", ())
        ),
        absent_functions=frozenset(document.get("absent_functions", ())),
        estimated=tuple(document.get("estimated", ())),
        source=document.get("source", ""),
        dmi=document.get("dmi", {}),
    )


def honest_proc(gpu: Gpu) -> ProcGpu:
    """Return the /proc entry that the kernel module of an honest host shows for `gpu`."""

    def text(name: str) -> str:
        value = gpu.answer(name).value
        return value if isinstance(value, str) else "??"

    minor = gpu.answer("minor_number").value
    return ProcGpu(
        address=gpu.pci.address,
        model=text("name"),
        uuid=text("uuid"),
        vbios=text("vbios").lower(),
        minor=minor if isinstance(minor, int) else 0,
        firmware=text("gsp_version") if "gsp_version" in gpu.fields else "N/A",
    )


def _module_text(system: Fields) -> str | None:
    version = system.get("driver_version", NOT_OFFERED).value
    if not isinstance(version, str):
        return None
    return (
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  "
        f"{version}  Release Build  (builder@localhost)\n"
        "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
    )


def dump_machine(machine: Machine) -> dict[str, object]:
    """Return the JSON document of `machine`, every view written out."""
    gpus: list[dict[str, object]] = []
    for gpu in machine.gpus:
        node: dict[str, object] = {n: dump_answer(a) for n, a in gpu.fields.items()}
        node["pci"] = gpu.pci.dump()
        node["handle"] = dump_answer(gpu.handle)
        node["in_nvml"] = gpu.in_nvml
        if gpu.lost_after_calls is not None:
            node["lost_after_calls"] = gpu.lost_after_calls
        node["mig_devices"] = [
            {"index": index, **{n: dump_answer(a) for n, a in fields.items()}}
            for index, fields in gpu.mig_devices
        ]
        gpus.append(node)
    return {
        "format": FORMAT,
        "name": machine.name,
        "source": machine.source,
        "estimated": list(machine.estimated),
        "system": {n: dump_answer(a) for n, a in machine.system.items()},
        "gpus": gpus,
        "sysfs": [function.dump() for function in machine.pci],
        "proc": [entry.dump() for entry in machine.proc],
        "proc_version": machine.proc_version,
        "excluded": [{"pci": pci.dump(), "uuid": uuid} for pci, uuid in machine.excluded],
        "absent_functions": sorted(machine.absent_functions),
        "dmi": dict(machine.dmi),
    }


def read_machine(path: Path) -> Machine:
    """Return the machine described in the JSON file `path`."""
    return parse_machine(msgspec.json.decode(path.read_bytes()))


def write_machine(machine: Machine, path: Path) -> Path:
    """Write `machine` to the JSON file `path`, whole or not at all, and return `path`."""
    temporary = path.with_suffix(".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(dump_machine(machine)), indent=1))
    temporary.replace(path)
    return path


__all__ = [
    "FORMAT",
    "Answer",
    "Fields",
    "Gpu",
    "Machine",
    "PciAddress",
    "Value",
    "dump_answer",
    "dump_machine",
    "honest_proc",
    "junk",
    "parse_answer",
    "parse_fields",
    "parse_machine",
    "read_machine",
    "refuse",
    "write_machine",
]
