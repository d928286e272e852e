"""What a candidate and the process that holds the writer role of a SQLite store say to each other over the control socket."""

import msgspec

from heliograph.domain.gate import Proof

#: Where the process that gave up the role listens while its successor has not shown yet that it can send.
WARM = "warm.sock"


class Candidate(msgspec.Struct, forbid_unknown_fields=True):
    """A release that wants to take over, and what it proved: judged beside what the running one proves at the same moment."""

    id: str
    code: str
    fingerprint: str
    settings: dict[str, str]
    credentials: dict[str, str]
    proofs: list[Proof]


class Judged(msgspec.Struct):
    """The gate's word on a candidate. `finding`: domain.gate.Finding; `same`: it is the release that runs."""

    finding: str
    basis: str = ""
    subject: str = ""
    reason: str = ""
    variable: str = ""
    same: bool = False


class HandOver(msgspec.Struct, forbid_unknown_fields=True):
    """Let the candidate have the role. `forced`: why a person lets it through although it was not proved, "" where it was."""

    id: str
    basis: str
    subject: str
    forced: str = ""


class HandedOver(msgspec.Struct):
    """The role is free. `release`: the one that gave it up; `calls`: how many were still under way."""

    release: str
    calls: int


class Listening(msgspec.Struct, forbid_unknown_fields=True):
    """The candidate answers requests now: the other one takes no more."""


class Witness(msgspec.Struct, forbid_unknown_fields=True):
    """Prove now what you were started with."""


class TakeBack(msgspec.Struct, forbid_unknown_fields=True):
    """The candidate has given up the role: take it again."""


class Leave(msgspec.Struct, forbid_unknown_fields=True):
    """The candidate has shown that it can send: end."""
