"""Chat rooms, social feeds and pagers, through Apprise."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from apprise import Apprise, AppriseAsset, PersistentStoreMode

from heliograph.ports.announce import NotTold

#: Apprise blocks while it speaks; so many targets are spoken to at a time.
THREADS = 8


class Rooms:
    """Speaks to each target by itself, in threads of its own: a target that is slow keeps no other waiting.

    `timeout`: seconds that one target may take. An Apprise address holds secrets: neither it nor what a target answers is repeated.
    """

    def __init__(self, *, timeout: float = 4.0) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="announce")
        self._asset = AppriseAsset(
            app_id="Heliograph", app_desc="Heliograph", app_url="", secure_logging=True, storage_mode=PersistentStoreMode.MEMORY
        )
        # It would log addresses with parts of their secrets.
        logging.getLogger("apprise").disabled = True

    async def announce(self, targets: Sequence[str], title: str, text: str) -> None:
        """Tell all targets. Raises NotTold if one did not take it; final where an address is none."""
        loop = asyncio.get_running_loop()
        told = await asyncio.gather(
            *(loop.run_in_executor(self._threads, self._one, target, title, text) for target in targets), return_exceptions=True
        )
        failed = [outcome for outcome in told if isinstance(outcome, BaseException)]
        if failed:
            final = len(failed) == len(targets) and all(isinstance(one, NotTold) and one.final for one in failed)
            raise NotTold(f"{len(failed)} of {len(targets)} targets did not take it", final=final)

    def _one(self, target: str, title: str, text: str) -> None:
        speaker = Apprise(asset=self._asset)
        if not speaker.add(target):
            raise NotTold("not an address that Apprise knows", final=True)
        if not speaker.notify(body=text, title=title, body_format="text", timeout=self._timeout):
            raise NotTold("the target did not take it")

    async def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)
