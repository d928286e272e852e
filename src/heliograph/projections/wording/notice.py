"""What affected agents, and the admins of an affected account, are told about their own replies."""

from heliograph.projections.facts import Facts
from heliograph.projections.wording.pieces import Line, Message, Piece, Rendering, counted, fill, joined, one, rendering
from heliograph.projections.wording.values import numbers, values

#: Of the whole story; what has not happened yet is not asked for.
OF_TROUBLE = ("onset_at", "provider", "reason")

TITLE = one("Replies through {provider} are waiting")
TITLE_AFTER = one("Replies through {provider} go out again")
HELD = one("Since {onset_at}, your replies through {provider} have not been going out: {cause}.")
FREED = one("{period}, your replies through {provider} did not go out: {cause}.")
HELD_ACCOUNT = one("Since {onset_at}, replies of your account through {provider} have not been going out: {cause}.")
FREED_ACCOUNT = one("{period}, replies of your account through {provider} did not go out: {cause}.")
AFFECTED = one("Affected: {n_replies} on {n_tickets}.")
AFFECTED_ACCOUNT = one("Affected: {n_replies} by {n_agents} on {n_tickets}.")
#: What became of them, in the order in which it matters to who reads it.
BECAME: dict[str, Message] = {
    "waiting": counted("{waiting} is waiting and goes out by itself.", "{waiting} are waiting and go out by themselves.", by="waiting"),
    "asked": counted("{asked} needs a decision.", "{asked} need a decision.", by="asked"),
    "sent_late": counted("{sent_late} has gone out late.", "{sent_late} have gone out late.", by="sent_late"),
    "failed": counted("{failed} could not be sent.", "{failed} could not be sent.", by="failed"),
    "dropped": counted(
        "{dropped} was not sent because somebody decided so.", "{dropped} were not sent because somebody decided so.", by="dropped"
    ),
    "lost": counted("{lost} was lost.", "{lost} were lost.", by="lost"),
}  # fmt: skip
GO_ON = one("There is nothing for you to do: go on writing as usual, and do not write again what is waiting.")
DECIDE = one("Please decide about each: send it again, treat it as sent, or drop it.")
DECIDE_ACCOUNT = one("The authors or an admin decide: send again, treat as sent, or drop.")
SETTLED = one("Everything is settled.")

SUBJECT = one("Replies through {provider} are waiting ({day})")
SUBJECT_AFTER = one("Replies through {provider} were delayed ({day})")
WHY_YOU = one("You get this mail because you are an admin of {account} and were not signed in. It is sent once for each incident.")
LIST = one("The list of tickets and replies of your account: {link}")
HELP = one("What this means: {link}")


def banner(facts: Facts, language: str) -> Rendering:
    """For the top of the page: what is wrong, and how many of the agent's replies wait or ask."""
    written, bends = values(language, facts), numbers(facts)
    shown = [name for name in ("waiting", "asked") if getattr(facts, name)]
    if not shown:
        shown = [name for name in ("failed", "sent_late", "dropped", "lost") if getattr(facts, name)]
    title = fill(language, TITLE_AFTER if facts.mitigated_at else TITLE, written, bends)
    told = fill(language, FREED if facts.mitigated_at else HELD, written, bends)
    became = joined([fill(language, BECAME[name], written, bends) for name in shown])
    return rendering("banner", language, title, [joined([told, became])], required=(*_trouble(facts), *shown))


def detail(facts: Facts, language: str) -> Rendering:
    """The notice opened: with everything that became of the agent's replies, and what to do."""
    return _story("notice", facts, language, (HELD, FREED, AFFECTED, DECIDE))


def account(facts: Facts, language: str) -> Rendering:
    """The same for an admin, about everybody's replies of the account."""
    return _story("account", facts, language, (HELD_ACCOUNT, FREED_ACCOUNT, AFFECTED_ACCOUNT, DECIDE_ACCOUNT), also=("agents",))


def mail(facts: Facts, language: str, *, account_name: str, link: str, help_link: str) -> Rendering:
    """For admins who are away: the account's notice with the way to the list. `title` is the subject."""
    written, bends = values(language, facts), numbers(facts)
    about = account(facts, language)
    subject = fill(language, SUBJECT_AFTER if facts.mitigated_at else SUBJECT, written, bends)
    ends = [
        fill(language, LIST, {"link": Piece(link, "link")}, {}),
        fill(language, HELP, {"link": Piece(help_link)}, {}),
        fill(language, WHY_YOU, {"account": Piece(account_name)}, {}),
    ]
    return rendering("mail", language, subject, [*about.paragraphs, *ends], required=(*about.required, "link"))


def _story(kind: str, facts: Facts, language: str, messages: tuple[Message, ...], *, also: tuple[str, ...] = ()) -> Rendering:
    held, freed, affected, decide = messages
    written, bends = values(language, facts), numbers(facts)
    title = fill(language, TITLE_AFTER if facts.mitigated_at else TITLE, written, bends)
    told = fill(language, freed if facts.mitigated_at else held, written, bends)
    shown = [name for name in BECAME if getattr(facts, name)]
    became: list[Line] = [fill(language, affected, written, bends), *(fill(language, BECAME[name], written, bends) for name in shown)]
    todo = decide if facts.asked else GO_ON if facts.waiting else SETTLED
    paragraphs = [told, joined(became), fill(language, todo, written, bends)]
    return rendering(kind, language, title, paragraphs, required=(*_trouble(facts), "replies", "tickets", *also, *shown))


def _trouble(facts: Facts) -> tuple[str, ...]:
    return (*OF_TROUBLE, "mitigated_at") if facts.mitigated_at else OF_TROUBLE
