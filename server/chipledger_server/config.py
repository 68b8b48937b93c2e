"""The collector's configuration: one TOML file, every key known, every default safe.

Each key is a field below with its documentation; docs/SERVER.md holds the same table and a test
keeps both together. Secrets are named by file, never written here.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_server.domain.codes import Code, ServerError

DEFAULT_PATH: Final = Path("/etc/chipledger/server.toml")
_STATE: Final = "/var/lib/chipledger-server"


def _is(doc: str, *, least: int = 0) -> Mapping[str, Any]:
    return {"doc": doc, "least": least}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Who this collector is."""

    name: str = field(
        default="chipledger",
        metadata=_is("name of this collector and origin of its log; never change it"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where the record of years is."""

    path: Path = field(
        default=Path(f"{_STATE}/collector.sqlite"), metadata=_is("SQLite database file")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Files that hold secrets; readable for the service's account alone."""

    nonce_key_file: Path = field(
        default=Path(f"{_STATE}/nonce.key"),
        metadata=_is("32 random bytes that authenticate challenges; made by `init`"),
    )
    result_key_file: Path | None = field(
        default=None,
        metadata=_is(
            "PEM key that signs attestation results; made by `init`; where none is named,"
            " `result.key` beside the nonce key"
        ),
    )

    @property
    def result_key(self) -> Path:
        """The file of the key that signs attestation results."""
        return self.result_key_file or self.nonce_key_file.with_name("result.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where agents, auditors and screens reach the collector."""

    address: str = field(
        default="127.0.0.1", metadata=_is("address to listen on; any but loopback needs TLS")
    )
    port: int = field(default=8440, metadata=_is("port to listen on; 0 lets the kernel choose"))
    tls_certificate_file: Path | None = field(
        default=None, metadata=_is("PEM certificate chain; with it, only TLS 1.3")
    )
    tls_key_file: Path | None = field(
        default=None, metadata=_is("PEM private key of the certificate")
    )
    address_file: Path | None = field(
        default=None, metadata=_is("file to write the bound URL to, once ready")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds against mistakes and floods; 0 turns a rate limit off."""

    connections: int = field(default=4096, metadata=_is("connections at one time", least=1))
    body_idle_s: int = field(
        default=5, metadata=_is("seconds without a byte after which a body is refused", least=1)
    )
    body_total_s: int = field(
        default=30,
        metadata=_is("seconds after which an unfinished head or body is refused", least=1),
    )
    queue: int = field(
        default=4096, metadata=_is("tokens waiting for the writer before new ones get 503", least=1)
    )
    host_tokens_per_minute: int = field(
        default=120, metadata=_is("tokens one host may send a minute, sustained")
    )
    host_burst: int = field(
        default=2000, metadata=_is("tokens one host may send at once, as after an outage")
    )
    host_kib_per_minute: int = field(
        default=4096, metadata=_is("KiB of tokens and evidence one host may send a minute")
    )
    host_burst_kib: int = field(
        default=65_536, metadata=_is("KiB one host may send at once, as after an outage")
    )
    site_tokens_per_minute: int = field(
        default=60_000, metadata=_is("tokens one site may send a minute, sustained")
    )
    site_burst: int = field(default=200_000, metadata=_is("tokens one site may send at once"))
    rounds_per_hour: int = field(
        default=12, metadata=_is("rounds of device evidence of one host an hour", least=1)
    )
    refusals_per_hour: int = field(
        default=20, metadata=_is("refused reports of one host that are kept an hour", least=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What counts as fresh, silent or odd. Every verdict names the policy it used."""

    interval_s: int = field(
        default=3600, metadata=_is("seconds between two tokens of a host", least=1)
    )
    full_interval_s: int = field(
        default=86_400, metadata=_is("seconds between two full reports of a host", least=1)
    )
    silence_intervals: int = field(
        default=3, metadata=_is("missed intervals after which a host is silent", least=1)
    )
    silence_min_s: int = field(
        default=3600, metadata=_is("seconds a host must have missed to be silent", least=1)
    )
    mass_silence_percent: int = field(
        default=10, metadata=_is("share of a site's hosts that is mass silence", least=1)
    )
    mass_silence_window_s: int = field(
        default=900, metadata=_is("seconds in which they fell silent", least=1)
    )
    challenge_ttl_s: int = field(
        default=120, metadata=_is("seconds a challenge may be answered in", least=1)
    )
    evidence_ttl_s: int = field(
        default=600, metadata=_is("the same, where device evidence is asked for", least=1)
    )
    activation_ttl_s: int = field(
        default=300, metadata=_is("seconds a host's TPM may take to open its challenge", least=1)
    )
    rotation_ttl_s: int = field(
        default=86_400,
        metadata=_is(
            "seconds between a rotation's own time and the collector's above which it is refused",
            least=1,
        ),
    )
    proposal_ttl_s: int = field(
        default=604_800,
        metadata=_is("seconds a proposal about a host waits for a second person", least=1),
    )
    epoch_window_s: int = field(
        default=0, metadata=_is("age up to which an epoch value is fresh; 0: the silence limit")
    )
    clock_odd_s: int = field(
        default=300, metadata=_is("difference of clocks that is a finding", least=1)
    )

    @property
    def silence_limit_ms(self) -> int:
        """How long a host may be unseen before it is silent, milliseconds."""
        return max(self.silence_intervals * self.interval_s, self.silence_min_s) * 1000

    @property
    def epoch_limit_s(self) -> int:
        """Age up to which an epoch value proves freshness, seconds."""
        return self.epoch_window_s or self.silence_limit_ms // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What chips are asked to sign, and whose roots are believed."""

    interval_s: int = field(
        default=shipped_policy().evidence_round_s,
        metadata=_is("seconds between two rounds of device evidence of a host; 0: never asked for"),
    )
    test_roots_file: Path | None = field(
        default=None,
        metadata=_is(
            "root keys of simulated devices, believed at test sites alone: SHA-256 of each public"
            " key, hex, one a line"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """How the keys of hosts are judged."""

    ek_roots_folder: Path | None = field(
        default=None,
        metadata=_is("folder of further issuers of EK certificates: `.pem` or `.der` files"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The log and its sequencer."""

    pulse_s: int = field(
        default=600, metadata=_is("a quiet log gets a random entry this often", least=1)
    )
    beat_s: int = field(
        default=5, metadata=_is("how often the collector notes that it is alive", least=1)
    )
    sequence_ms: int = field(
        default=200, metadata=_is("longest wait before accepted tokens are applied", least=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Looking around: who is late, and what somebody should explain."""

    every_s: int = field(
        default=300,
        metadata=_is(
            "seconds between two rounds over all sites: "
            "who is late, and what somebody should explain",
            least=1,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration, one table a section."""

    collector: Collector = field(default_factory=Collector)
    database: Database = field(default_factory=Database)
    secrets: Secrets = field(default_factory=Secrets)
    listen: Listen = field(default_factory=Listen)
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)
    enrolment: Enrolment = field(default_factory=Enrolment)
    evidence: Evidence = field(default_factory=Evidence)
    watch: Watch = field(default_factory=Watch)
    log: Log = field(default_factory=Log)


def load_config(path: Path | None) -> Config:
    """Return the configuration in `path`; without one, the default file or all defaults.

    Raises:
        ServerError: `unknown-configuration-key` or `invalid-configuration`.
    """
    if path is None:
        if not DEFAULT_PATH.exists():
            return Config()
        path = DEFAULT_PATH
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ServerError(
            Code.INVALID_CONFIGURATION, f"{path}: {error}", hint="see docs/SERVER.md"
        ) from error
    return parse_config(table)


def supervisor_address() -> str | None:
    """Return systemd's notification socket, where this process has one."""
    return os.environ.get("NOTIFY_SOCKET")


def parse_config(table: Mapping[str, Any]) -> Config:
    """Return the configuration of a decoded TOML table; see `load_config` for errors."""
    sections = {item.name: item.default_factory for item in fields(Config)}
    _refuse_unknown(table, sections, "")
    built: dict[str, Any] = {}
    for name, section in sections.items():
        values = table.get(name, {})
        if not isinstance(values, Mapping):
            raise ServerError(Code.INVALID_CONFIGURATION, f"{name} must be a table: [{name}]")
        built[name] = _section(name, section, values)
    config = Config(**built)
    listen = config.listen
    if (listen.tls_certificate_file is None) != (listen.tls_key_file is None):
        raise ServerError(
            Code.INVALID_CONFIGURATION,
            "TLS needs both listen.tls_certificate_file and listen.tls_key_file",
        )
    return config


def _section(name: str, section: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401
    known = {item.name: item for item in fields(section)}
    _refuse_unknown(values, known, f"{name}.")
    return section(
        **{
            key: _value(f"{name}.{key}", known[key].type, value, known[key].metadata["least"])
            for key, value in values.items()
        }
    )


def _value(key: str, kind: Any, value: Any, least: int) -> Any:  # noqa: ANN401
    if kind is int:
        if type(value) is not int or not least <= value < 2**40:
            raise ServerError(
                Code.INVALID_CONFIGURATION, f"{key} must be a whole number of at least {least}"
            )
        return value
    if not isinstance(value, str) or not value:
        raise ServerError(Code.INVALID_CONFIGURATION, f"{key} must be a text that is not empty")
    return value if kind is str else Path(value)


def _refuse_unknown(table: Mapping[str, Any], known: Mapping[str, Any], prefix: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
            raise ServerError(Code.UNKNOWN_CONFIGURATION_KEY, f"{prefix}{key} is no key", hint=hint)
