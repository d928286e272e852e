"""Starts the replay of 6 August 2020 and shows how it stands."""

from collections.abc import Mapping
from typing import Any, Protocol

from litestar import Response, Router, get, post

from heliograph.web.policy import Need
from heliograph.web.problems import Refused

HEADERS = {"cache-control": "no-store"}


class Replays(Protocol):
    """The replay of a demonstration, see cli.replay."""

    def start(self) -> bool:
        """False where one is under way."""
        ...

    async def shown(self) -> Mapping[str, Any]:
        """How it stands, ready to be shown."""
        ...


def replay_routes(replay: Replays) -> Router:
    """The handlers."""

    @post("/demo/replay", opt={"need": Need.WRITE}, status_code=202)
    async def begin() -> Response[Any]:
        if not replay.start():
            raise Refused(409, "A replay is under way.")
        return Response(await replay.shown(), status_code=202, headers=HEADERS)

    @get("/demo/replay", opt={"need": Need.READ})
    async def stands() -> Response[Any]:
        return Response(await replay.shown(), headers=HEADERS)

    return Router(path="/", route_handlers=[begin, stands], include_in_schema=False)
