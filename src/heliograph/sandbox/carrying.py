"""Carries the simulated services' own calls out: through real sockets, or through the Http port in virtual time."""

from urllib.parse import parse_qsl

from aiohttp import ClientError, ClientSession, ClientTimeout

from heliograph.ports.http import Http, MaybeSent, NotSent
from heliograph.sandbox.errands import Answer, Carry, Errand

#: No answer that means anything here is longer.
LONGEST = 60 * 1_048_576


def through_sockets(client: ClientSession) -> Carry:
    """Calls through aiohttp; whatever goes wrong before the answer is whole is no answer."""

    async def carry(errand: Errand) -> Answer | None:
        timeout = ClientTimeout(total=errand.timeout)
        try:
            async with client.request(
                errand.method, errand.url, data=errand.body or None, headers=dict(errand.headers), timeout=timeout, allow_redirects=False
            ) as came:
                body = await came.read()
                return Answer(came.status, {name.lower(): value for name, value in came.headers.items()}, body)
        except (ClientError, TimeoutError, OSError, ValueError):
            return None

    return carry


def through_port(http: Http) -> Carry:
    """Calls through the Http port."""

    async def carry(errand: Errand) -> Answer | None:
        is_form = errand.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        pairs = parse_qsl(errand.body.decode(), keep_blank_values=True) if is_form else []
        # The port's forms have one value a name; a form with more goes out as it is.
        single = is_form and len({name for name, _ in pairs}) == len(pairs)
        headers = {name: value for name, value in errand.headers.items() if not (single and name == "content-type")}
        try:
            came = await http.request(
                errand.method, errand.url, headers=headers, body=None if single else errand.body or None,
                form=dict(pairs) if single else None, timeout=errand.timeout, max_bytes=LONGEST,
            )  # fmt: skip
        except (NotSent, MaybeSent):
            return None
        return Answer(came.status, came.headers, came.body)

    return carry
