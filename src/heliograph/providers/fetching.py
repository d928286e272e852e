"""How a file that came in is fetched, alike for all providers: its bytes or PollFailed, from whatever address a stranger has written."""

from collections.abc import Mapping

from heliograph.domain.reasons import Reason
from heliograph.ports import links
from heliograph.ports.http import Http, HttpResponse, MaybeSent, NotSent
from heliograph.ports.provider import Inconclusive, PollFailed
from heliograph.providers import certainty

REDIRECTS = frozenset({301, 302, 303, 307, 308})


def same_origin(url: str, base: str) -> bool:
    """Whether an address has scheme and host of `base`: only then may it be shown what is meant for `base`."""
    try:
        scheme, host = links.split(url)[:2]
        return bool(host) and (scheme, host) == links.split(base)[:2]
    except ValueError:
        return False


def onward(url: str, response: HttpResponse) -> str:
    """The address that the answer of `url` points on to; "" where it points nowhere."""
    location = response.headers.get("location", "") if response.status in REDIRECTS else ""
    try:
        return links.join(url, location) if location else ""
    except ValueError:
        return location


async def answer(http: Http, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int) -> HttpResponse:
    """What is answered at `url`, whatever it says, within `timeout` seconds. Raises PollFailed."""
    try:
        return await http.request("GET", url, headers=headers, timeout=timeout, max_bytes=max_bytes)
    except NotSent as error:
        failed = certainty.as_check(certainty.not_sent(error))
    except MaybeSent as error:
        failed = Inconclusive(Reason.TOO_LARGE if str(error) == "too_large" else Reason.NO_ANSWER, code=str(error))
    # Out here, so that no exception that was met on the way is its context.
    raise PollFailed(failed)


async def file(http: Http, url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int) -> bytes:
    """The bytes at `url`. Raises PollFailed, also for any answer but 200."""
    return whole(await answer(http, url, headers=headers, timeout=timeout, max_bytes=max_bytes))


def whole(response: HttpResponse) -> bytes:
    """The bytes of a file that was answered. Raises PollFailed for any answer but 200."""
    if response.status != 200:
        raise PollFailed(Inconclusive(Reason.NO_ANSWER, code=str(response.status)))
    return response.body
