"""The town's square: its status page, a mailbox for everybody, and a chat room, around real incidents."""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from heliograph.domain.incident import Incident, Phase
from heliograph.ports.announce import NotTold
from heliograph.projections.public.board import Board, Case
from heliograph.services import followers, incidents, outreach, postmortems, status_page
from heliograph.services.outlets import Outlets
from heliograph.services.watched import Memory
from tests.incidents.town import Town, town

URL = "https://status.example.org"


class Sent(NamedTuple):
    """A mail as it was handed over."""

    to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]


@dataclass
class Post:
    """Takes mails, or fails as it is told to."""

    sent: list[Sent] = field(default_factory=list)
    failing: NotTold | None = None

    async def mail(self, to: str, subject: str, text: str, html: str, headers: Mapping[str, str]) -> None:
        if self.failing is not None:
            raise self.failing
        self.sent.append(Sent(to, subject, text, html, dict(headers)))


@dataclass
class Room:
    """Takes messages, or fails as it is told to."""

    said: list[tuple[str, str, str]] = field(default_factory=list)
    failing: NotTold | None = None

    async def announce(self, targets: Sequence[str], title: str, text: str) -> None:
        if self.failing is not None:
            raise self.failing
        self.said += [(target, title, text) for target in targets]


@dataclass
class Square:
    """See the module."""

    town: Town
    post: Post
    room: Room
    outlets: Outlets
    pages: Memory = field(default_factory=Memory)
    stories: Memory = field(default_factory=Memory)

    async def run(self, seconds: float) -> None:
        """So many seconds of the town, with the page kept up to date each second."""
        for _ in range(round(seconds)):
            await self.town.run(1)
            await self.reconcile()

    async def reconcile(self) -> list[str]:
        """Page and post-mortems, once. Returns broken promises."""
        await status_page.reconcile(self.town.context, self.pages)
        return await postmortems.reconcile(self.town.context, self.stories)

    async def tell(self) -> int:
        """Mails and messages, once."""
        return await outreach.tell(self.town.context, self.outlets)

    async def board(self) -> Board:
        found = await incidents.incidents_of(self.town.store, "")
        return await status_page.load_board(self.town.context, self.outlets, found)

    async def case(self) -> Case:
        """The only one."""
        [case] = (await self.board()).cases
        return case

    async def incident(self) -> Incident:
        """The only one of the installation."""
        [incident] = await incidents.incidents_of(self.town.store, "")
        return incident

    async def trouble(self) -> Case:
        """The shared key is revoked while everybody writes; lasts until it is told in public."""
        made = self.town
        for home in made.homes:
            await made.say(home)
        await self.run(1)
        made.homes[0].key.revoked = True
        for home in made.homes:
            await made.say(home, home.lanes[1])
        await self.run(15)
        return await self.case()

    async def recovery(self) -> Case:
        """All is well again, and stays so until the incident is resolved."""
        for home in self.town.homes:
            home.key.revoked = False
        await self.run(120)
        case = await self.case()
        assert case.incident.phase is Phase.RESOLVED
        return case

    async def follows(self, address: str, locale: str = "en") -> str:
        """Somebody follows, confirmed; returns the link that ends it."""
        context, outlets = self.town.context, self.outlets
        await followers.follow(context, outlets.vault, self.post, address, locale=locale, url=URL, name=outlets.name)
        link = self.link(self.post.sent[-1], "confirm")
        follower, token = parts(link)
        await followers.confirm(context, follower, token)
        return link.replace("/confirm?", "/unsubscribe?")

    @staticmethod
    def link(mail: Sent, act: str) -> str:
        """The link in a mail that does something."""
        [found] = re.findall(rf"{re.escape(URL)}/status/followers/\S+/{act}\?token=\S+", mail.text)
        return str(found)


def parts(link: str) -> tuple[str, str]:
    """Follower and token of a link."""
    found = re.search(r"/followers/([^/]+)/\w+\?token=(\S+)", link)
    assert found is not None
    return found[1], found[2]


@contextlib.asynccontextmanager
async def square(folder: Path, *, database: str = "", shared: bool = True, targets: tuple[str, ...] = ()) -> AsyncIterator[Square]:
    """A town with its status page."""
    async with town(folder, database=database, shared=shared) as made:
        post, room = Post(), Room()
        titles = {name: spec.title for name, spec in made.application.specs.items()}
        outlets = Outlets(
            vault=made.context.channels.vault, titles=titles, name="Lighthouse", url=URL, mail=post, announce=room, targets=targets
        )  # fmt: skip
        yield Square(made, post, room, outlets)
