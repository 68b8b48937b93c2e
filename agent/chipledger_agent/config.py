"""Configuration: TOML files to one frozen value, every key known and checked.

`agent.toml` is read first, then `conf.d/*.toml` beside it in the order of their names; a later
file replaces single keys of an earlier one. An absent key is always safe. Secrets never stand
here, only the paths of their files. The dataclasses below are the one list of keys: one class
a table, one field a key, with how it is read and what it does; docs/AGENT.md is tested against
them.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chipledger_agent.domain.failures import AgentCode, AgentError

DEFAULT_PATH = Path("/etc/chipledger/agent.toml")
ALGORITHMS = ("es256", "ed25519")
TPM = "tpm"
STORES = ("file", TPM)
LEVELS = ("debug", "info", "warning", "error")
UNIX_PREFIX = "unix:"
MINIMAL = """\
[collector]
url = "https://collector.example:8443"
pin_file = "/etc/chipledger/collector.pem"
"""
"""The least a person must write. It stands in hints, because a host has no documentation."""
MAX_PORT = 65535

T = TypeVar("T")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - one kind of error for all
    return value


def _path(value: object) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _paths(value: object) -> tuple[Path, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list of absolute paths")  # noqa: TRY004 - see _text
    return tuple(_path(item) for item in value)


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")  # noqa: TRY004 - see _text
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return read


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - see _text
    return value


def _one_of(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return _text(value)

    return read


def _url(value: object) -> str:
    text = _text(value)
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("must be an https:// address")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no user, password, query or fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("plain http is accepted for loopback only")
    return text


def _bmc(value: object) -> str:
    text = _url(value)
    if text and not text.startswith("https://"):
        raise ValueError("must be an https:// address")
    return text


def _proxy(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if text and (parts.scheme != "http" or not parts.hostname):
        raise ValueError("must be an http:// address (the tunnel inside is TLS)")
    if parts.username or parts.password:
        raise ValueError("must hold no password: name collector.proxy_credentials_file")
    return text


def _listen(value: object) -> str:
    text = _text(value)
    if not text:
        return text
    if text.startswith(UNIX_PREFIX):
        _path(text.removeprefix(UNIX_PREFIX))
        return text
    host, _, port = text.rpartition(":")
    if not _is_loopback(host.strip("[]")) or not port.isdigit() or int(port) > MAX_PORT:
        raise ValueError("must be unix:/path/of.socket or 127.0.0.1:port")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(default: T, read: Callable[[Any], T], about: str) -> T:
    """Declare a key: its value when absent, how its TOML value is read, what it does."""
    declared: T = field(default=default, metadata={"read": read, "help": about})
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorTable:
    """Where the collector is and how it is recognised."""

    url: str = _key(
        "", _url, "its address, `https://host:port`; `http://` on loopback only; required"
    )
    pin_file: Path | None = _key(  # noqa: RUF009 - gives a dataclass field
        None,
        _path,
        "its certificate (PEM), or lines `sha256:<hex>` of certificate or public key; "
        "required for `https://`",
    )
    proxy: str = _key("", _proxy, "`http://host:port` of a proxy; the environment is never asked")
    proxy_credentials_file: Path | None = _key(  # noqa: RUF009 - gives a dataclass field
        None, _path, "file with `user:password` for the proxy"
    )
    connect_timeout_s: int = _key(10, _whole(1, 300), "seconds to connect")
    answer_timeout_s: int = _key(30, _whole(1, 600), "seconds for a whole answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """The host's private key."""

    file: Path | None = _key(  # noqa: RUF009 - gives a dataclass field
        None,
        _path,
        "the key (0600), made by `enroll`; `key.pem` or, of a TPM, `tpm-key.json` in `state_dir` "
        "when absent",
    )
    store: str = _key(
        "file",
        _one_of(*STORES),
        "what holds the private key: a `file` (tier `software`), or the host's `tpm`",
    )
    tpm: str = _key(
        "device:/dev/tpmrm0",
        _text,
        "how the TPM is reached: name and argument of a TCTI of the TPM2 software stack",
    )
    quote_interval_s: int = _key(
        86_400,
        _whole(60, 604_800),
        "seconds between two quotes of the TPM; one is made at every boot anyway",
    )
    algorithm: str = _key(
        "es256", _one_of(*ALGORITHMS), "kind of key that `enroll` makes: `es256` or `ed25519`"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTable:
    """When reports are made."""

    interval_s: int = _key(
        0,
        _whole(0, 86_400),
        "seconds between reports; never more than the collector said at enrolment; 0: just that",
    )
    jitter_s: int = _key(
        120,
        _whole(0, 3_600),
        "reports come up to so many seconds early or late, at most a tenth of the interval",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTable:
    """How the machine is looked at."""

    first_deadline_s: int = _key(
        60, _whole(1, 600), "seconds for the first scan of a process (drivers wake slowly)"
    )
    deadline_s: int = _key(20, _whole(1, 600), "seconds for each later scan")
    libraries: tuple[Path, ...] = _key(
        (), _paths, "absolute paths at which NVML may lie; empty: the usual places"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTable:
    """Whether and how devices are asked for their own signature."""

    interval_s: int = _key(
        43_200, _whole(3_600, 604_800), "seconds between two rounds; the collector can ask sooner"
    )
    nvml: bool = _key(
        False,  # noqa: FBT003 - the default of a key
        _yes_or_no,
        "ask through NVML where confidential computing is on; a failed call can end that mode",
    )
    nvml_deadline_s: int = _key(60, _whole(1, 300), "seconds for all chips through NVML")
    corelib: bool = _key(
        False,  # noqa: FBT003 - the default of a key
        _yes_or_no,
        "ask the evidence service, which runs `nvattest` as root (systemd/README.md)",
    )
    corelib_socket: Path = _key(  # noqa: RUF009 - gives a dataclass field
        Path("/run/chipledger-gpu-evidence.sock"), _path, "socket of the evidence service"
    )
    corelib_deadline_s: int = _key(
        120, _whole(1, 300), "seconds for the chips, and again for the switches, through it"
    )
    redfish_url: str = _key(
        "", _bmc, "address of the BMC's Redfish service, `https://host[:port]`; empty: off"
    )
    redfish_pin_file: Path | None = _key(  # noqa: RUF009 - gives a dataclass field
        None, _path, "its certificate or digests, as for the collector; required with the address"
    )
    redfish_credentials_file: Path | None = _key(  # noqa: RUF009 - gives a dataclass field
        None, _path, "file with `user:password`, mode 0600; required with the address"
    )
    redfish_deadline_s: int = _key(240, _whole(1, 500), "seconds for everything the BMC is asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolTable:
    """How much is kept on this host."""

    max_reports: int = _key(
        20_000,
        _whole(1, 1_000_000),
        "reports that may wait for the collector; above, scans are skipped and counted",
    )
    max_mib: int = _key(64, _whole(1, 1_000_000), "MiB that waiting reports may take")
    keep_sent_days: int = _key(
        7, _whole(1, 3_650), "days that acknowledged reports stay, to be sent again on request"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsTable:
    """Prometheus metrics."""

    listen: str = _key(
        "",
        _listen,
        "`unix:/run/chipledger-agent/metrics.sock` or `127.0.0.1:port`; empty: off",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTable:
    """The log on standard error."""

    level: str = _key("info", _one_of(*LEVELS), "`debug`, `info`, `warning` or `error`")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Everything a person may set."""

    state_dir: Path = _key(  # noqa: RUF009 - gives a dataclass field
        Path("/var/lib/chipledger-agent"), _path, "folder of key, enrolment and spool"
    )
    collector: CollectorTable = field(default_factory=CollectorTable)
    key: KeyTable = field(default_factory=KeyTable)
    schedule: ScheduleTable = field(default_factory=ScheduleTable)
    scan: ScanTable = field(default_factory=ScanTable)
    evidence: EvidenceTable = field(default_factory=EvidenceTable)
    spool: SpoolTable = field(default_factory=SpoolTable)
    metrics: MetricsTable = field(default_factory=MetricsTable)
    log: LogTable = field(default_factory=LogTable)

    @property
    def key_file(self) -> Path:
        """Where the private key is."""
        name = "tpm-key.json" if self.key.store == TPM else "key.pem"
        return self.key.file or self.state_dir / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One configuration key.

    Attributes:
        path: as written in TOML, dotted.
        read: turns the TOML value into ours; raises `ValueError` with what is wrong.
        default: our value when absent.
        help: what it does, for people.
    """

    path: str
    read: Callable[[Any], Any]
    default: Any
    help: str


def _keys(kind: type, prefix: str = "") -> Iterator[Key]:
    for item in fields(kind):
        if "read" in item.metadata:
            yield Key(
                path=prefix + item.name,
                read=item.metadata["read"],
                default=item.default,
                help=item.metadata["help"],
            )
        else:
            yield from _keys(TABLES[item.name], f"{item.name}.")


TABLES: Mapping[str, type] = {
    "collector": CollectorTable,
    "key": KeyTable,
    "schedule": ScheduleTable,
    "scan": ScanTable,
    "evidence": EvidenceTable,
    "spool": SpoolTable,
    "metrics": MetricsTable,
    "log": LogTable,
}
KEYS: tuple[Key, ...] = tuple(_keys(AgentConfig))
"""Every key there is, in the order of the documentation."""


def load_config(path: Path, *, offline: bool = False) -> AgentConfig:
    """Return the configuration in `path` and in `conf.d` beside it.

    Args:
        path: the main file.
        offline: for commands that send nothing: no collector need be named, and an absent file
            means the defaults.

    Raises:
        AgentError: `config-unreadable`, `config-unknown-key` (with a suggestion) or
            `config-bad-value`, naming file and key.
    """
    values: dict[str, Any] = {}
    main = () if offline and _is_absent(path) else (path,)
    for file in (*main, *_additions(path)):
        values |= {name: _value(file, name, raw) for name, raw in _flatten(_parse(file)).items()}
    config = _config(values)
    if not offline:
        _check_collector(config.collector, path)
        _check_bmc(config.evidence, path)
    return config


def load_as_far_as_possible(path: Path) -> AgentConfig:
    """Return what the good keys of `path` and `conf.d` say, and the defaults of all others.

    For a command that explains why the rest was refused; never for one that sends.
    """
    values: dict[str, Any] = {}
    with suppress(AgentError):
        for file in (path, *_additions(path)):
            with suppress(AgentError):
                for name, raw in _flatten(_parse(file)).items():
                    with suppress(AgentError):
                        values[name] = _value(file, name, raw)
    return _config(values)


def _config(values: Mapping[str, Any]) -> AgentConfig:
    tables = {
        name: kind(
            **{k.partition(".")[2]: v for k, v in values.items() if k.startswith(f"{name}.")}
        )
        for name, kind in TABLES.items()
    }
    return AgentConfig(**tables, **{k: v for k, v in values.items() if "." not in k})


def _additions(path: Path) -> list[Path]:
    folder = path.parent / "conf.d"
    try:
        return sorted(folder.glob("*.toml"))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _is_absent(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:  # perhaps there, in a folder closed to us: reading it will say so
        return False
    return False


def _check_collector(collector: CollectorTable, path: Path) -> None:
    if not collector.url:
        raise AgentError(
            AgentCode.CONFIG_BAD_VALUE,
            f"{path}: collector.url is missing",
            hint=_to_write("name the collector and its certificate's file"),
        )
    if collector.url.startswith("https") and collector.pin_file is None:
        raise AgentError(
            AgentCode.CONFIG_BAD_VALUE,
            f"{path}: collector.pin_file is missing",
            hint=_to_write("https is spoken with the pinned collector only"),
        )


def _check_bmc(evidence: EvidenceTable, path: Path) -> None:
    for name in ("redfish_pin_file", "redfish_credentials_file"):
        if evidence.redfish_url and getattr(evidence, name) is None:
            raise AgentError(
                AgentCode.CONFIG_BAD_VALUE,
                f"{path}: evidence.{name} is missing",
                hint="the BMC is asked over pinned https, with an account of its own",
            )


def _to_write(advice: str) -> str:
    return f"{advice}; a whole configuration is:\n{MINIMAL}".rstrip()


def _value(file: Path, name: str, raw: object) -> Any:  # noqa: ANN401 - each key has its type
    """Return the checked value of one key of a file."""
    keys = {key.path: key for key in KEYS}
    if name not in keys:
        known = TABLES if isinstance(raw, dict) else keys
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        raise AgentError(
            AgentCode.CONFIG_UNKNOWN_KEY,
            f"{file}: no key {name}",
            hint=f"did you mean {near[0]}?" if near else f"the keys are {', '.join(keys)}",
        )
    try:
        return keys[name].read(raw)
    except ValueError as error:
        raise AgentError(
            AgentCode.CONFIG_BAD_VALUE, f"{file}: {name} {error}", hint=keys[name].help
        ) from error


def _unreadable(file: Path, error: OSError) -> AgentError:
    if isinstance(error, PermissionError):
        hint = "run as root or as the agent's user"
    else:
        hint = _to_write("write this file, or name another by --config")
    return AgentError(AgentCode.CONFIG_UNREADABLE, f"{file}: {error.strerror}", hint=hint)


def _parse(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(file, error) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AgentError(
            AgentCode.CONFIG_UNREADABLE, f"{file}: {error}", hint=_to_write("mend this file")
        ) from error


def _flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in TABLES and isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return flat
