"""A process that writes replies to a SQLite file and prints each once it is saved, until it is killed."""

import asyncio
import sys
from pathlib import Path

from heliograph.storage.sqlite.store import open_sqlite
from tests.storage.acts import claim, found_account, reply


async def main(path: Path) -> None:
    store = open_sqlite(path, now=1, new_id="ins_1", release="rel_1")
    places = await found_account(store, lanes=4)

    async def write(n: int) -> None:
        count = 0
        while True:
            count += 1
            await store.commit(reply(places[n % 4], f"r{n}_{count}"))
            sys.stdout.write(f"r{n}_{count}.1\n")
            sys.stdout.flush()

    async def work() -> None:
        for n in range(3):
            await claim(store, worker=f"w{n}", limit=1)

    await asyncio.gather(work(), *(write(n) for n in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
