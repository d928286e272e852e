"""The figures of a run, each with where it was counted, beside what was published of 2020."""

from typing import Any, NamedTuple

from heliograph.sandbox.tally import Counts


class Figures(NamedTuple):
    """Times are seconds. Filled in as the run goes on; None is not yet."""

    #: From the candidate's registration to the gate's word, both in the ledger; the variable that it named.
    verdict: float | None = None
    variable: str = ""
    #: Calls with the wrong settings about customers' conversations before anybody forced anything: the sandbox's journal.
    calls_refused: int | None = None
    #: The same while it was forced through beside the old release, and from the first of them to the fence in the ledger.
    calls_forced: int | None = None
    fenced: float | None = None
    #: From that first call to the next message that the old release got through.
    went_on: float | None = None
    #: With no healthy release: calls made, and from the first of them to the hold in the ledger.
    calls_alone: int | None = None
    held: float | None = None
    #: From the hold until every agent whose replies waited had a notice that counts them; how many agents.
    told: float | None = None
    agents: int | None = None
    #: Replies that waited when the right settings came back, how many of them were delivered, and the longest wait.
    waited: int | None = None
    waited_delivered: int | None = None
    longest: float | None = None
    #: From the settings' return until none waited.
    drained: float | None = None


class Row(NamedTuple):
    """One line of the card. The first cell of the past is from the facts of 2020; the others are counted."""

    what: str
    past: str
    theirs: str
    ours: str
    #: "good", "bad" or "" for theirs and ours.
    marks: tuple[str, str] = ("", "")


#: As the vendor published them on 6 and 12 August 2020.
SOURCE = (
    "2020: the vendor’s service notice of 6 August and post-mortem of 12 August; no counts were published. "
    "The plain connector and Heliograph: counted in this run."
)
PRINT = (
    "One process sends on SQLite, so both releases of this run live in this process, on one store, each with its own settings, "
    "connections and claims; the gate, the fence, the hold and the notices are the product’s own. Two processes that share the lanes, "
    "and the nine minutes at length, are on PostgreSQL: make drill."
)


def seconds(value: float | None) -> str:
    """For people; "–" for what did not happen."""
    if value is None:
        return "–"
    return "under 0.01 s" if value < 0.01 else f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def card(figures: Figures, ours: Counts, theirs: Counts, errors: int, asked: int) -> list[Row]:
    """The end of a run."""
    f = figures
    rows = [Row("Replies written", "not published", str(theirs.written), str(ours.written))]
    for name, past in (("lost", "not delivered; could not be resent automatically"), ("doubled", "–"), ("overtaken", "–")):
        bad, good = getattr(theirs, name), getattr(ours, name)
        rows.append(Row(name.title(), past, str(bad), str(good), ("bad" if bad else "", "bad" if good else "good")))
    rows += [
        Row("The wrong settings", "deployed; every call failed", "taken", f"refused in {seconds(f.verdict)}: {f.variable}"),
        Row("Calls about customers spent on them till then", "–", "–", str(f.calls_refused), ("", "" if f.calls_refused else "good")),
        Row("Forced through beside the old release", "–", "–", f"{_calls(f.calls_forced)}, fenced {seconds(f.fenced)} later"),
        Row(
            "Forced through, the old release gone", "nine minutes, 19:02 to 19:11 UTC", "goes on calling",
            f"{_calls(f.calls_alone)}, on hold {seconds(f.held)} later",
        ),
        Row("Until agents knew", "an error in the ticket’s Events tab", _errors(errors), f"{f.agents} told in {seconds(f.told)}"),
        Row(
            "Waited, then delivered in order", "none: agents had to write again", "0",
            f"{f.waited_delivered} of {f.waited}, the longest after {seconds(f.longest)}",
        ),
    ]  # fmt: skip
    return [*rows, Row("Asked about", "–", "–", str(asked))] if asked else rows


def _errors(number: int) -> str:
    return f"{number} errors in a list"


def _calls(number: int | None) -> str:
    return f"{number} call refused" if number == 1 else f"{number} calls refused"


def shown(figures: Figures) -> dict[str, Any]:
    """For the page and for tests."""
    return figures._asdict()
