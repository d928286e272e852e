"""Taking apart an address that a stranger has written; urllib takes the square of the length of a host with marks on its letters."""

import re
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

#: Longer than any address that a provider signs.
LONGEST = 8192
_AUTHORITY = re.compile(r"//([^/?#]*)")


def split(url: str) -> SplitResult:
    """Its parts. Raises ValueError where it is no address, is longer than LONGEST, or its host is not written in ASCII (RFC 3986)."""
    check(url)
    return urlsplit(url)


def join(base: str, link: str) -> str:
    """Where a link on `base` leads. Raises what `split` raises."""
    check(base)
    check(link)
    return urljoin(base, link)


def file_name(url: str) -> str:
    """The last part of its path; "" where it has none, or is no address."""
    try:
        return unquote(split(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def check(url: str) -> None:
    """Raises ValueError; see `split`."""
    if len(url) > LONGEST:
        raise ValueError("too long for an address")
    found = _AUTHORITY.search(url)
    if found is not None and not found[1].isascii():
        raise ValueError("the host is not written in ASCII")
