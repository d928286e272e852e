"""The desk of the benchmark: writes replies over the JSON API, in order within each conversation."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import uvloop

from bench.job import Job
from bench.payload import Reply, by_conversation


async def run(errand: dict[str, Any]) -> None:
    """Says "up", waits for a line, writes all replies, says "done". A refused one ends the process with an error."""
    job = Job(**errand["job"])
    conversations = by_conversation(job)
    at_once = asyncio.Semaphore(job.concurrency)
    connector = aiohttp.TCPConnector(limit=job.concurrency)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {errand['token']}"}) as http:

        async def converse(replies: list[Reply]) -> None:
            for one in replies:
                url = f"{errand['url']}/api/v1/tickets/{errand['tickets'][one.conversation]}/comments"
                body = {"contents": [{"type": "text", "text": one.text}]}
                async with at_once, http.post(url, json=body, headers={"Idempotency-Key": one.key}) as answer:
                    if answer.status != 201:
                        raise RuntimeError(f"refused: {answer.status}")

        print("up", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*map(converse, conversations))
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(run(json.loads(sys.stdin.readline())))
