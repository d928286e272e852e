"""What proves a webhook call: the secrets that are live, and the comparison that tells nobody how near a guess was."""

import hmac
from collections.abc import Iterable, Mapping


def live(config: Mapping[str, str]) -> list[str]:
    """The secrets in `webhook_secret`: one, or both while one replaces the other."""
    return config.get("webhook_secret", "").replace(",", " ").split()


def webhook_secrets(config: Mapping[str, str]) -> tuple[bytes, ...]:
    """The same as bytes."""
    return tuple(each.encode() for each in live(config))


def proves(given: str, wanted: Iterable[bytes]) -> bool:
    """Whether what a call brought is one of those; all are compared, in constant time, whichever matches."""
    proof = given.encode("utf-8", "replace")
    matches = [hmac.compare_digest(proof, each) for each in wanted]
    return any(matches)
