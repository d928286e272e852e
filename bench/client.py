"""The one provider call, as every asyncio contestant of the benchmark makes it."""

import aiohttp
from yarl import URL

from bench.job import Job
from bench.payload import Reply, body_of, path_of

_HEADERS = {"Content-Type": "application/json", "Authorization": "Basic YmVuY2g6YmVuY2g="}


def session(concurrency: int) -> aiohttp.ClientSession:
    """An aiohttp session that keeps one connection for each open call."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=30),
        headers=_HEADERS,
    )


async def post(http: aiohttp.ClientSession, job: Job, one: Reply) -> bytes:
    """Deliver one reply. Returns the provider's answer; raises RuntimeError for anything but a 201."""
    url = URL(job.provider + path_of(job.app, one.conversation), encoded=True)
    async with http.post(url, data=body_of(one)) as response:
        answer = await response.read()
        if response.status != 201:
            raise RuntimeError(f"provider answered {response.status}")
        return answer
