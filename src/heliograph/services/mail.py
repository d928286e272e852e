"""Admins of an affected account who are away are told by one mail for each incident."""

import msgspec

from heliograph.domain import notice_events as ne
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.announce import Mail, NotTold
from heliograph.ports.store import Changes, Conflict
from heliograph.projections.wording import notice as words
from heliograph.services import incidents, people
from heliograph.services.context import Context, retrying
from heliograph.services.notices import ADMINS, KIND as NOTICE, Notice, decode, told_whom

KIND = "mailed"
#: Who had no page open for so long is away.
AWAY = 900 * SECOND
#: What is settled sooner than this after it was told needs no mail.
PATIENCE = 30 * SECOND
LEASE = 60 * SECOND
FIRST_DELAY, LAST_DELAY = 15 * SECOND, 1800 * SECOND


class Mailed(msgspec.Struct, frozen=True):
    """Whether one admin has the mail about one incident: `at` 0 for not yet; `refused` for never."""

    at: int = 0
    refused: bool = False
    failures: int = 0
    not_before: int = 0


class AdminMails:
    """One per process; several processes send one mail between them. `url` is where the desk is reached, which the mail links to."""

    def __init__(self, context: Context, mail: Mail | None, *, url: str) -> None:
        self._context = context
        self._mail = mail
        self._url = url.rstrip("/")

    async def reconcile(self) -> None:
        """One round. Raises Unavailable."""
        if self._mail is None or not self._url:
            return
        now = self._context.clock.now()
        for document in await self._context.store.documents_of_all(NOTICE):
            notice = decode(document)
            if told_whom(document.id)[1] == ADMINS and notice.open and now - notice.told_at >= PATIENCE:
                await self._tell(document.account, notice)

    async def _tell(self, account: str, notice: Notice) -> None:
        store, now = self._context.store, self._context.clock.now()
        admins = [agent.id for agent in await store.agents(account) if agent.role == "admin"]
        for agent in await people.away(self._context, account, admins, since=now - AWAY):
            to = (await people.person(store, account, agent)).mail
            if to and await self._claimed(account, notice, agent):
                await self._send(account, notice, agent, to)

    async def _send(self, account: str, notice: Notice, agent: str, to: str) -> None:
        assert self._mail is not None
        store = self._context.store
        language = await people.language_for(store, account, agent) or "en"
        row = await store.account(account)
        help_link = f"{self._url}/help/incident?lang={language}"
        said = words.mail(
            notice.counted, language, account_name=row.name if row else "", link=f"{self._url}/desk/status", help_link=help_link
        )
        try:
            await self._mail.mail(to, said.heading, said.body, "", {"Auto-Submitted": "auto-generated", "Content-Language": language})
        except NotTold as refused:
            self._context.observe("admin_not_mailed", {"final": int(refused.final)})
            await self._settled(account, notice, agent, told=False, final=refused.final)
            return
        await self._settled(account, notice, agent, told=True, final=False)

    async def _claimed(self, account: str, notice: Notice, agent: str) -> bool:
        document, now = await self._document(account, notice, agent), self._context.clock.now()
        mailed = _decode(document)
        if mailed.at or mailed.refused or mailed.not_before > now:
            return False
        changes = Changes(account, now)
        changes.puts.append(_put(account, notice, agent, document, msgspec.structs.replace(mailed, not_before=now + LEASE), now))
        try:
            await self._context.store.commit(changes)
        except Conflict:
            return False
        return True

    async def _settled(self, account: str, notice: Notice, agent: str, *, told: bool, final: bool) -> None:
        async def act() -> None:
            document, now = await self._document(account, notice, agent), self._context.clock.now()
            failures = _decode(document).failures + (not told)
            later = now + min(FIRST_DELAY << min(max(failures - 1, 0), 16), LAST_DELAY)
            changes = Changes(account, now)
            changes.puts.append(_put(account, notice, agent, document, Mailed(now if told else 0, final, failures, later), now))
            await self._context.store.commit(changes)

        await retrying(act)
        if told:
            await retrying(lambda: self._note(account, notice.incident))

    async def _note(self, account: str, incident: str) -> None:
        """In the incident's own story: that it happened, not to whom."""
        store = self._context.store
        found = await incidents.find(store, incident, account)
        book = await incidents.Book.read(store)
        await book.take(store, found.account, incident)
        changes = Changes(found.account, self._context.clock.now())
        book.add(changes, incident, [ne.AdminMailed()])
        await store.commit(changes)

    async def _document(self, account: str, notice: Notice, agent: str) -> rows.Document | None:
        return await self._context.store.document(account, KIND, f"{notice.incident}.{agent}")


def _decode(document: rows.Document | None) -> Mailed:
    return msgspec.json.decode(document.data, type=Mailed) if document else Mailed()


def _put(account: str, notice: Notice, agent: str, document: rows.Document | None, mailed: Mailed, now: int) -> rows.Document:
    version = document.version + 1 if document else 1
    return rows.Document(account, KIND, f"{notice.incident}.{agent}", version, now, msgspec.json.encode(mailed).decode())
