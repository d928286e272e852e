"""Every finding that a check can make: its id, which never changes its meaning, how grave it is, and what to do about it."""

from enum import IntEnum
from typing import NamedTuple


class Level(IntEnum):
    """How grave. OPEN is neither good nor bad: it was asked, and nobody could tell."""

    INFO = 0
    OPEN = 1
    WARNING = 2
    ERROR = 3


class Rule(NamedTuple):
    """One kind of finding. `deploy`: only looked at with --deploy, before a release goes to production."""

    id: str
    level: Level
    tag: str
    about: str
    hint: str
    deploy: bool = False


class Finding(NamedTuple):
    """What was found. `detail` holds no secret, no name of a person and no text."""

    rule: Rule
    subject: str
    detail: str


RIGHT_FOLDER = "Is this the right folder or database? See --data and HELIOGRAPH_DATABASE_URL."
_LETTERS = {"I": Level.INFO, "O": Level.OPEN, "W": Level.WARNING, "E": Level.ERROR}


def _of(id: str, tag: str, about: str, hint: str = "", *, deploy: bool = False) -> Rule:
    return Rule(id, _LETTERS[id[3]], tag, about, hint, deploy)


_ALL = (
    # --- settings
    _of("HG.I001", "settings", "All settings are known, and none looks like an accident."),
    _of("HG.E001", "settings", "A setting is unknown, empty, malformed or a placeholder.", "Correct it; nothing starts with it."),
    _of(
        "HG.W001", "settings", "No public address is set.", "Set HELIOGRAPH_PUBLIC_URL: links in notices and webhooks need it.", deploy=True
    ),
    _of(
        "HG.W002",
        "settings",
        "The public address is not https.",
        "Put TLS in front, and say https:// in HELIOGRAPH_PUBLIC_URL.",
        deploy=True,
    ),
    _of(
        "HG.W003",
        "settings",
        "The release has no name.",
        "Set HELIOGRAPH_RELEASE to the version that you deploy, so that people can tell releases apart.",
        deploy=True,
    ),
    _of(
        "HG.W004",
        "settings",
        "Nothing says which store is the right one.",
        "Set HELIOGRAPH_INSTALLATION to the id that `heliograph status` shows.",
        deploy=True,
    ),
    _of(
        "HG.W005",
        "settings",
        "Networks off the public internet are allowed to providers.",
        "Take HELIOGRAPH_ALLOW_NETWORKS away, unless a provider really is in there.",
        deploy=True,
    ),
    _of("HG.W006", "settings", "It logs everything.", "Set HELIOGRAPH_LOG_LEVEL to info.", deploy=True),
    _of(
        "HG.W007",
        "settings",
        "Nobody is told when something is wrong.",
        "Set HELIOGRAPH_OPERATORS or HELIOGRAPH_ALERTMANAGER_URL, and HELIOGRAPH_HEARTBEAT_URL for when nothing runs any more.",
        deploy=True,
    ),
    # --- machine
    _of("HG.I010", "machine", "The data folder can be written and has room."),
    _of("HG.E010", "machine", "The data folder cannot be written.", "Give it to the user that runs Heliograph."),
    _of("HG.E011", "machine", "The disk is full, or nearly.", "Make room: replies are refused, not lost, when the store cannot write."),
    _of("HG.W010", "machine", "Little room is left on the disk.", "Make room before it is full."),
    _of(
        "HG.W011",
        "machine",
        "Other users may read the data folder.",
        "chmod 700 the folder: the store in it holds customers' texts.",
        deploy=True,
    ),
    _of("HG.I012", "machine", "The clock agrees with every other that could be asked."),
    _of(
        "HG.E012",
        "machine",
        "The clock is wrong by more than a minute.",
        "Start time synchronisation: leases, reply windows and signatures of requests rest on it.",
    ),
    _of("HG.W012", "machine", "The clock is wrong by some seconds.", "Start time synchronisation."),
    # --- store
    _of("HG.I020", "store", "The store is the right one, and of this version."),
    _of("HG.E020", "store", "The store cannot be opened.", RIGHT_FOLDER),
    _of("HG.E021", "store", "The store is another installation's.", RIGHT_FOLDER),
    _of("HG.E022", "store", "The store is of a newer or changed version.", "Start the version that it belongs to."),
    _of("HG.E023", "store", "There is no store, and this folder was used with one.", RIGHT_FOLDER),
    _of(
        "HG.E024",
        "store",
        "The store is not as it was left: restored, failed over or copied.",
        "The next start asks of every waiting reply whether it was sent before, and asks a person where nobody can tell.",
    ),
    _of("HG.W020", "store", "There is no store yet.", "The first start makes it. " + RIGHT_FOLDER),
    _of(
        "HG.O020",
        "store",
        "The store is of an older version: what it holds cannot be looked into before it is brought up to date.",
        "The next start of a writing process does that; the former version can go on with it.",
    ),
    # --- keys
    _of("HG.I030", "keys", "Every sealed secret opens."),
    _of("HG.E030", "keys", "There is no master key, or it is none.", "See: heliograph keys --help"),
    _of(
        "HG.E031",
        "keys",
        "The master key is not this installation's.",
        "Set HELIOGRAPH_MASTER_KEY to the key that the store was used with; see: heliograph keys status",
    ),
    _of(
        "HG.E032",
        "keys",
        "A channel's secrets do not open.",
        "Give the former key in HELIOGRAPH_MASTER_KEY_OLD, or have the account enter the secrets again.",
    ),
    _of("HG.W030", "keys", "Secrets are sealed with a former master key.", "When all processes hold the new one: heliograph keys rotate"),
    _of("HG.W031", "keys", "A former master key is given and needed no more.", "Take HELIOGRAPH_MASTER_KEY_OLD away.", deploy=True),
    # --- credentials
    _of("HG.I040", "credentials", "A shared credential is valid and belongs to whom it did."),
    _of("HG.I041", "credentials", "A shared credential is used by no channel."),
    _of("HG.E040", "credentials", "A shared credential is refused.", "Compare its HELIOGRAPH_CREDENTIAL__… variables with the provider's."),
    _of(
        "HG.E041",
        "credentials",
        "A shared credential is somebody else's.",
        "It is valid, but for another app than before: staging keys in production?",
    ),
    _of("HG.E042", "credentials", "Channels use a shared credential that is not set here.", "Set its HELIOGRAPH_CREDENTIAL__… variables."),
    _of("HG.O040", "credentials", "A shared credential could not be tried.", "Check again once the provider answers."),
    _of("HG.I050", "credentials", "A channel's own credentials are valid."),
    _of("HG.I051", "credentials", "A channel is switched off."),
    _of("HG.I052", "credentials", "A channel's secrets open; it was not asked."),
    _of("HG.I053", "credentials", "There are no channels.", "heliograph channel add --help"),
    _of(
        "HG.E050",
        "credentials",
        "A channel that was well is refused.",
        "With many at once it is the release's fault; with one, the account's.",
    ),
    _of("HG.E051", "credentials", "A channel's credentials are somebody else's.", "They are valid, but for another one than before."),
    _of("HG.E052", "credentials", "A channel has no credential.", "The account must enter its secrets again."),
    _of("HG.W050", "credentials", "A channel is refused that was on hold before.", "Its account knows; no release changes that."),
    _of("HG.O050", "credentials", "A channel's credentials could not be tried.", "Check again once the provider answers."),
    # --- webhooks
    _of("HG.I060", "webhooks", "Webhook secrets are those that calls were last verified with."),
    _of(
        "HG.E060",
        "webhooks",
        "The webhook secret of a shared credential is another one than calls carry.",
        "Set both, separated by a blank, while the provider's is being changed.",
    ),
    _of("HG.W060", "webhooks", "A channel's webhook secret is another one than calls carry.", "Its account must enter the provider's."),
    _of(
        "HG.W061",
        "webhooks",
        "Webhook calls are kept that could not be verified.",
        "They are taken in once a release knows the right secret; until then set it.",
    ),
    # --- release
    _of("HG.I070", "release", "These settings are those of the release that sends."),
    _of("HG.I071", "release", "These variables differ from the release that sends."),
    _of("HG.I072", "release", "No release was admitted yet."),
    _of("HG.E070", "release", "This very release was refused or fenced.", "See: heliograph release list"),
    _of("HG.W070", "release", "A release sends because a person forced it.", "See: heliograph release list"),
)
RULES = {rule.id: rule for rule in _ALL}
TAGS = tuple(dict.fromkeys(rule.tag for rule in _ALL))


def found(id: str, subject: str, detail: str = "") -> Finding:
    """A finding; where `detail` is "", the rule's own sentence."""
    return Finding(RULES[id], subject, detail or RULES[id].about)
