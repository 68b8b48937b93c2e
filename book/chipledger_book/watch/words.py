"""Facts as sentences, what may be behind them without wrong, and who should do what about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_book.terms import day_of
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind, Value

Detail = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is said of one kind of fact.

    Attributes:
        sentence: what was seen, from the detail.
        innocent: what may be behind it without anybody having done wrong.
        who: who must act.
        do: what to do about it.
    """

    sentence: Callable[[Detail], str]
    innocent: Sequence[str]
    who: str
    do: str


def in_words(kind: FactKind, detail: Detail) -> str:
    """Return one sentence that says what was seen."""
    return WORDS[kind].sentence(detail)


def _chips(detail: Detail) -> str:
    """Return how many chips of which models: ``8 chips (H100-SXM5-80GB: 8)``."""
    number, models = detail["pieces"], _listed(detail.get("models", ()))
    return f"{number} {'chip' if number == 1 else 'chips'}" + (f" ({models})" if models else "")


def _chips_were(detail: Detail) -> str:
    return f"{_chips(detail)} {'was' if detail['pieces'] == 1 else 'were'}"


def _listed(value: Value) -> str:
    return "; ".join(value) if isinstance(value, tuple) else str(value)


def _day(value: Value) -> str:
    return str(day_of(value)) if isinstance(value, int) else str(value)


def _over_limit(detail: Detail) -> str:
    if detail.get("limit") is None:
        return f"No licence line or ceiling has room for {_chips(detail)}."
    return f"{_use(detail)}: {detail['tpp']} TPP are beyond it."


def _use(detail: Detail) -> str:
    """Return how much of which limit is used."""
    of = f" ({detail['of']})" if detail.get("of") else ""
    return f"{detail['used']} are used of a limit of {detail['limit']}{of}"


def _late_event(detail: Detail) -> str:
    after = ", after its period was signed off" if detail["after_sign_off"] else ""
    return (
        f"A {detail['event']} of {_chips(detail)} happened on {_day(detail['happened_ms'])} and was"
        f" entered on {_day(detail['recorded_ms'])}{after}."
    )


def _structuring(detail: Detail) -> str:
    if detail["shape"] == "consignees":
        return (
            f"Several consignees of one parent each stay just under {detail['limit_tpp']} TPP of"
            f" {detail['limit']} in {detail['window']}: {_listed(detail['parties'])}."
        )
    return (
        f"Several shipments each stay just under {detail['limit_tpp']} TPP of {detail['limit']}:"
        f" {_listed(detail['shipments'])}."
    )


def _rma_open(detail: Detail) -> str:
    waits = (
        "the vendor has not said that it has them"
        if detail["waits_for"] == "confirmation"
        else "nothing came back for them"
    )
    return (
        f"{_chips_were(detail)} sent back in case {detail['case']}, and {waits}; it was due by"
        f" {_day(detail['due_ms'])}."
    )


_OPERATOR: Final = "operator"
_CONSIGNEE: Final = "consignee"
_VENDOR: Final = "vendor"
_LATE_PAPERS: Final = "papers are late"

_ABSENT: Final[Mapping[FactKind, Words]] = {
    FactKind.MISSING: Words(
        sentence=lambda d: (
            f"{_chips(d)} on the book answered once and do not any more, the last on"
            f" {_day(d['last_seen_ms'])}; {d['silent']} of them with their whole host."
            f" Last seen on {_listed(d['hosts'])}."
        ),
        innocent=(
            "a server is in repair or switched off for longer than usual",
            "a defective chip was pulled and its return to the vendor is not entered yet",
            "the agent is broken or was not installed again after a reinstallation",
        ),
        who=_OPERATOR,
        do="Start the host, or enter where the chips are; else let an auditor look for them.",
    ),
    FactKind.NEVER_ATTESTED: Words(
        sentence=lambda d: (
            f"{_chips(d)} of {d['received']} received never answered; they were due by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=(
            "the chips still lie in boxes, and nobody entered that they are stored",
            "the servers run without an agent",
            "the receipt names them wrongly: a digit, a model, another site",
        ),
        who=_OPERATOR,
        do="Install them, store them under seal, or correct the receipt; an auditor counts them.",
    ),
    FactKind.LOST_OR_STOLEN: Words(
        sentence=lambda d: (
            f"{_chips(d)} are {d['how']}, says the site"
            + (f"; reported to {d['reported_to']}." if d["reported_to"] else ".")
        ),
        innocent=("a theft or a loss, reported as it should be",),
        who=_OPERATOR,
        do="Report it, and add the reference; they stay on the book until they are found.",
    ),
    FactKind.NOTICE_LATE: Words(
        sentence=lambda d: (
            f"{_chips(d)} are {d['how']}, and the ledger names no authority that was told by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=("the notice was given, and its reference was not entered",),
        who=_OPERATOR,
        do="Give the notice, and correct the entry with its reference.",
    ),
}

_PRESENT: Final[Mapping[FactKind, Words]] = {
    FactKind.OVERAGE: Words(
        sentence=lambda d: (
            f"{_chips(d)} answer and are not on the book, which holds {d['on_the_book']} of them."
        ),
        innocent=(
            "their receipt is not entered yet, or names another model",
            "a replacement from the vendor came before its papers",
            "a chip was moved here from another site before its transfer was entered",
        ),
        who=_OPERATOR,
        do="Enter the receipt or transfer by which they came, with its papers.",
    ),
    FactKind.SEEN_ELSEWHERE: Words(
        sentence=lambda d: (
            f"{_chips(d)} are on the book here and answer at {d['at']}, without a transfer."
        ),
        innocent=(
            "they were moved, and the transfer is not entered yet",
            "the receipt was entered for the wrong site",
            "a host was enrolled at the wrong site",
        ),
        who=_OPERATOR,
        do="Enter the transfer from both sides, or correct the receipt or the enrolment.",
    ),
    FactKind.SHIPPED_SEEN: Words(
        sentence=lambda d: (
            f"{_chips(d)} left on paper ({d['left_as']}) and still answer, at {_listed(d['at'])}."
        ),
        innocent=(
            "they were booked out and then not sent",
            "they came back, and their receipt is not entered",
        ),
        who=_OPERATOR,
        do="Correct what says that they left, or enter how they came back.",
    ),
    FactKind.DISPOSED_SEEN: Words(
        sentence=lambda d: (
            f"{_chips(d)} are scrapped or destroyed on paper and still answer, at"
            f" {_listed(d['at'])}."
        ),
        innocent=("the paper names the wrong serials",),
        who=_OPERATOR,
        do="Show the chips and the witness's paper to an auditor, and correct the entry.",
    ),
    FactKind.SEALED_SEEN: Words(
        sentence=lambda d: (
            f"{_chips(d)} are under seal on paper and answer, at {_listed(d['at'])}."
        ),
        innocent=(
            "the seal was taken off to use them, and nobody entered it",
            "the entry names the wrong chips",
        ),
        who=_OPERATOR,
        do="Enter that the seal was taken off, or correct what it holds.",
    ),
    FactKind.BORROWED_HARDWARE: Words(
        sentence=lambda d: (
            f"{_chips_were(d)} at the site only around an inspection: from"
            f" {_day(d['first_seen_ms'])} to {_day(d['last_seen_ms'])}."
        ),
        innocent=(
            "new chips failed soon after they were installed, and no return is entered",
            "a test bench was on loan for those days",
        ),
        who=_OPERATOR,
        do="Show where the chips came from and where they went; inspect again unannounced.",
    ),
    FactKind.SHUTTLED: Words(
        sentence=lambda d: (
            f"{_chips(d)} answered at {_listed(d['sites'])} in turn, without transfers:"
            f" {d['changes']} changes, the last on {_day(d['last_change_ms'])}."
        ),
        innocent=(
            "a server was lent to the other site, and the transfers are not entered",
            "a host was enrolled at the wrong site, and then at the right one",
        ),
        who=_OPERATOR,
        do="Show why they travelled, and enter the transfers; look at both sites on one day.",
    ),
    FactKind.SERIAL_RECEIVED_TWICE: Words(
        sentence=lambda d: f"The same names stand on the book twice: {_chips(d)}.",
        innocent=(
            "one delivery was entered by two people, or at two sites",
            "a label was read wrongly",
        ),
        who=_CONSIGNEE,
        do="Correct the receipt that is wrong; look at the labels of both.",
    ),
}

_MOVING: Final[Mapping[FactKind, Words]] = {
    FactKind.IN_TRANSIT_LATE: Words(
        sentence=lambda d: (
            f"{_chips_were(d)} declared as shipped here and nobody received them by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=("the shipment is held up in customs", f"it arrived, and {_LATE_PAPERS}"),
        who=_CONSIGNEE,
        do="Enter the receipt, or a difference with the shipper; ask the carrier where it is.",
    ),
    FactKind.TRANSFER_LATE: Words(
        sentence=lambda d: (
            f"{_chips(d)} left for {d['to']} and did not arrive there on paper by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=("the lorry is late", f"they arrived, and {_LATE_PAPERS}"),
        who=_CONSIGNEE,
        do="Enter the arrival at the other site, or the difference.",
    ),
    FactKind.EXPORT_UNCONFIRMED: Words(
        sentence=lambda d: (
            f"{_chips_were(d)} shipped out, and whom they went to has not said so by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=("the buyer takes no part in the ledger", _LATE_PAPERS),
        who=_CONSIGNEE,
        do="Get the buyer's word, or a paper of it that an auditor accepts.",
    ),
    FactKind.RECEIPT_DIFFERENCE: Words(
        sentence=lambda d: (
            f"A receipt differs and is not settled: {d['missing']} missing, {d['unexpected']}"
            f" unexpected, {d['damaged']} damaged; {_chips(d)} are open."
        ),
        innocent=("the rest of the delivery follows", "the shipper's list was wrong"),
        who="shipper",
        do="Let the shipper stand behind the difference, or deliver; correct what was declared.",
    ),
    FactKind.RECEIVED_MORE_THAN_SHIPPED: Words(
        sentence=lambda d: f"{_chips(d)} arrived beyond what the other side says it sent.",
        innocent=(
            "two shipments were received as one",
            "the shipper's list was wrong",
            "a vendor sent more than it took back, to keep a spare at hand",
        ),
        who=_CONSIGNEE,
        do="Ask the sender; correct the side that is wrong.",
    ),
    FactKind.RECEIPT_UNMATCHED: Words(
        sentence=lambda d: (
            f"{d['source']} ({d['feed']}, {d['reference']}) recorded {_chips(d)} that no receipt"
            " or shipment of the ledger has."
        ),
        innocent=(
            f"they arrived, and {_LATE_PAPERS}",
            "the record names the wrong consignee or model",
            "the goods were turned back at the border",
        ),
        who=_CONSIGNEE,
        do="Say where they went; enter the receipt, or get the record corrected.",
    ),
    FactKind.RMA_OPEN: Words(
        sentence=_rma_open,
        innocent=("the vendor is slow", "the vendor takes no part in the ledger", _LATE_PAPERS),
        who=_VENDOR,
        do="Get the vendor's word or its paper, and enter what it sent.",
    ),
    FactKind.RMA_RATE: Words(
        sentence=lambda d: (
            f"{d['sent_back']} chips were sent back in {d['quarter']}; an honest rate stays at or"
            f" below {d['edge']}."
        ),
        innocent=(
            "a bad production lot, or a failure of power or cooling",
            "chance: the band is left in one of forty honest quarters",
        ),
        who=_OPERATOR,
        do="Compare with the vendor's own list of cases, and look where they failed.",
    ),
    FactKind.RMA_RETURNED: Words(
        sentence=lambda d: (
            f"{_chips_were(d)} sent back to the vendor and answer without its release, at"
            f" {_listed(d['at'])}."
        ),
        innocent=(
            "the vendor repaired and returned them, and their arrival is not entered",
            "other chips were sent than the paper names",
        ),
        who=_OPERATOR,
        do="Enter the vendor's release, or correct what was sent.",
    ),
}

_RESTING: Final[Mapping[FactKind, Words]] = {
    FactKind.STORED_TOO_LONG: Words(
        sentence=lambda d: (
            f"{_chips(d)} rest in {d['place']} under seal {d['seal']} for longer than stock should."
        ),
        innocent=("spares for a large site", "a building that is late"),
        who=_OPERATOR,
        do="Use them, send them on, or let an auditor count them.",
    ),
    FactKind.SEAL_CHECK_LATE: Words(
        sentence=lambda d: (
            f"Nobody looked at seal {d['seal']} in {d['place']}, on {_chips(d)}, by"
            f" {_day(d['due_ms'])}."
        ),
        innocent=("somebody looked, and nobody entered it",),
        who=_OPERATOR,
        do="Let an auditor look at it, and enter the count.",
    ),
    FactKind.SEAL_BROKEN: Words(
        sentence=lambda d: (
            f"Seal {d['seal']} in {d['place']}, on {_chips(d)}, was found {d['found']}."
        ),
        innocent=("it was damaged when the cage was moved",),
        who=_OPERATOR,
        do="Count what was under it, chip by chip, and start those that can be.",
    ),
    FactKind.MOVED_UNCONFIRMED: Words(
        sentence=lambda d: (
            f"{_chips(d)} moved from {d['from_host']} to {d['host']}, and the operator has not"
            " confirmed it."
        ),
        innocent=("a repair or a swap that nobody entered",),
        who=_OPERATOR,
        do="Confirm the move with its reason.",
    ),
    FactKind.MAINTENANCE_TOO_LONG: Words(
        sentence=lambda d: (
            f"{d['number_of_hosts']} hosts were down on purpose for longer than they may be:"
            f" {_listed(d['hosts'])}."
        ),
        innocent=("a large rebuild",),
        who=_OPERATOR,
        do="Show what was done, and start the hosts.",
    ),
    FactKind.EVIDENCE_LATE: Words(
        sentence=lambda d: (
            f"{_chips(d)} are scrapped or destroyed on paper, without the paper itself by"
            f" {_day(d['due_ms'])}; the witness was of {d['witness']}."
        ),
        innocent=("the certificate is on its way",),
        who=_OPERATOR,
        do="Enter the event anew with the certificate, and correct this one.",
    ),
    FactKind.LATE_EVENT: Words(
        sentence=_late_event,
        innocent=("papers that came late", "an error that was found and put right"),
        who=_OPERATOR,
        do="Say why it came late; after a sign-off the period is restated.",
    ),
}

_QUANTITIES: Final[Mapping[FactKind, Words]] = {
    FactKind.CAP_NEAR: Words(
        sentence=lambda d: f"{_use(d)}.",
        innocent=("the licence is used as it was meant to be",),
        who=_CONSIGNEE,
        do="Apply for more before the next delivery.",
    ),
    FactKind.CAP_EXCEEDED: Words(
        sentence=_over_limit,
        innocent=(
            "a new licence was granted and is not entered",
            "a receipt names the wrong licence",
        ),
        who=_CONSIGNEE,
        do="Enter the licence that covers them, or correct the receipt; else tell the authority.",
    ),
    FactKind.NOT_AUTHORISED: Words(
        sentence=lambda d: f"No licence or exception that is entered is for {_chips(d)}.",
        innocent=("the licence or the claim is not entered", "the site is declared wrongly"),
        who=_CONSIGNEE,
        do="Enter the licence or the claim; else tell the authority.",
    ),
    FactKind.LICENCE_EXPIRING: Words(
        sentence=lambda d: f"Licence {d['number']} ends on {d['last_day']}, and none follows it.",
        innocent=("nothing more is to arrive under it",),
        who=_CONSIGNEE,
        do="Renew it before more arrives.",
    ),
    FactKind.STRUCTURING: Words(
        sentence=_structuring,
        innocent=(
            "a standard order happens to be just that large",
            "subsidiaries of one size that were built to one plan",
        ),
        who=_CONSIGNEE,
        do="Show the orders and who decided on them; count the parties as one.",
    ),
}

WORDS: Final[Mapping[FactKind, Words]] = {
    **_ABSENT,
    **_PRESENT,
    **_MOVING,
    **_RESTING,
    **_QUANTITIES,
}
"""Every kind of fact in words."""

TIMER: Final[Mapping[FactKind, Timer]] = {
    FactKind.MISSING: Timer.ABSENCE,
    FactKind.NEVER_ATTESTED: Timer.ATTESTATION,
    FactKind.NOTICE_LATE: Timer.NOTICE,
    FactKind.OVERAGE: Timer.OVERAGE,
    FactKind.SEEN_ELSEWHERE: Timer.ELSEWHERE,
    FactKind.SHUTTLED: Timer.ELSEWHERE,
    FactKind.SHIPPED_SEEN: Timer.ELSEWHERE,
    FactKind.DISPOSED_SEEN: Timer.ELSEWHERE,
    FactKind.SEALED_SEEN: Timer.ELSEWHERE,
    FactKind.RMA_RETURNED: Timer.ELSEWHERE,
    FactKind.BORROWED_HARDWARE: Timer.ABSENCE,
    FactKind.IN_TRANSIT_LATE: Timer.RECEIPT,
    FactKind.TRANSFER_LATE: Timer.TRANSFER,
    FactKind.EXPORT_UNCONFIRMED: Timer.EXPORT,
    FactKind.RECEIPT_DIFFERENCE: Timer.DIFFERENCE,
    FactKind.RECEIPT_UNMATCHED: Timer.EXTERNAL,
    FactKind.RMA_OPEN: Timer.RMA_CONFIRMATION,
    FactKind.STORED_TOO_LONG: Timer.STORAGE,
    FactKind.SEAL_CHECK_LATE: Timer.SEAL_CHECK,
    FactKind.MOVED_UNCONFIRMED: Timer.MOVE,
    FactKind.MAINTENANCE_TOO_LONG: Timer.MAINTENANCE,
    FactKind.EVIDENCE_LATE: Timer.EVIDENCE,
    FactKind.LATE_EVENT: Timer.RECORDING,
    FactKind.LICENCE_EXPIRING: Timer.LICENCE_WARNING,
    FactKind.STRUCTURING: Timer.STRUCTURING,
}
"""The timer that a kind of fact waits for; the others are said at once."""
