"""Scenarios of a deploy: refused, forced and fenced, an outage during a repair, a wrong key, store or webhook secret."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from heliograph.bootstrap.application import Application
from heliograph.domain.gate import Stage
from heliograph.drill import seen
from heliograph.drill.outages import judged, told
from heliograph.drill.place import PREFIX, Place
from heliograph.drill.processes import Child, command
from heliograph.drill.scenario import Run
from heliograph.drill.traffic import answering, for_seconds
from heliograph.drill.truth import SECOND, held_up
from heliograph.services.parts import load_contents, plain
from heliograph.services.releases import Kept

WRONG = {"key_secret": "wrong-secret-of-a-bad-deploy"}
NAMED = f"{PREFIX}KEY_SECRET"
#: Events by which a release that sends is moved about.
MOVES = frozenset({"release_refused", "release_undecided", "release_fenced", "release_retired", "share_given"})


class Deploy:
    """A candidate beside the running release: a process of its own on PostgreSQL, `heliograph deploy` on one host with SQLite."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.child: Child | None = None
        self.code: int | None = None
        self.said = ""
        self._command: asyncio.Task[tuple[int, str]] | None = None

    async def begin(self, changes: Mapping[str, str], *options: str) -> float:
        """Start it; the moment (seconds, wall clock)."""
        begun = time.time()
        variables = self._place.variables(**changes)
        if self._place.database:
            self.child = await self._place.process(variables, name="candidate")
        else:
            file = self._place.folder / "candidate.env"
            await asyncio.to_thread(_write, file, variables)
            arguments = ("deploy", "--env-file", str(file), "--data", str(self._place.data), *options)
            self._command = asyncio.create_task(command(*arguments, variables=self._place.variables()))
        return begun

    async def end(self) -> None:
        """Stop the candidate, or wait for the command."""
        if self.child is not None:
            await self.child.stop()
        if self._command is not None:
            self.code, self.said = await self._command


def _write(file: Path, variables: Mapping[str, str]) -> None:
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), "utf-8")


async def verdict(run: Run, application: Application, old: Kept, begun: float, *stages: Stage) -> Kept:
    """Wait for what the gate says about the newest release."""
    new = await seen.release(application, seen.staged(*stages, other_than=old.row.id), f"a release that is {stages[0]}", seconds=30)
    story = await seen.events(application, run.place)
    said = ("release_refused", "release_undecided", "release_admitted")
    at = min((e.recorded_at for e in story if e.stream_id == new.row.id and e.kind in said), default=0)
    run.note(seconds_to_verdict=at / SECOND - begun, basis=new.row.basis, variable=new.row.variable)
    run.expect(float(run.figures["seconds_to_verdict"]) <= 10, "the gate needed longer than 10 s")
    return new


async def refused(run: Run) -> None:
    """(A) 6 August 2020: a deploy with wrong variables. Refused by the name of the variable; it makes no attempt; the old one sends on."""
    async with run.begun() as (application, old):
        place = run.place
        deploy = Deploy(place)
        async with answering(place):
            await for_seconds(1)
            begun = await deploy.begin(WRONG)
            new = await verdict(run, application, old, begun, Stage.REFUSED)
            await for_seconds(2)
        await deploy.end()
        await run.settle()
        spent = len(seen.attempts(await seen.events(application, place), new.row.id))
        found = await seen.open_incidents(application)
        run.note(attempts_spent=spent, held_up=len((await held_up(place))[0]), incidents=len(found))
        run.expect(not any(one.reason == "bad_credentials" for one in found), "a deploy that was refused became an incident")
        run.expect(spent == 0, f"the refused release made {spent} attempts")
        run.expect(new.row.variable == NAMED, f"the variable was not named, but “{new.row.variable}”")
        run.expect(run.figures["held_up"] == 0, "replies were held up although the old release sent on")
        run.expect(place.children[0].process.returncode is None, "the old process ended")


async def forced(run: Run) -> None:
    """(B) The same, forced through, on half the lanes where they can be shared: fenced at its first refusal, and the old one sends on."""
    async with run.begun(talks=4) as (application, old):
        place = run.place
        deploy = Deploy(place)
        async with answering(place, pause=0.1):
            before = await _forced(run, application, old, deploy)
            fenced = await seen.release(application, seen.staged(Stage.FENCED), "the fence", seconds=40)
            await for_seconds(3)
        run.note(seconds_to_fence=fenced.row.ended_at / SECOND - before)
        await run.settle()
        await deploy.end()
        story = await seen.events(application, place)
        refusal = seen.first_refusal(story, fenced.row.id)
        run.expect(refusal is not None, "the forced release made no attempt: nothing was drilled")
        late = seen.started_late(story, fenced.row.id, refusal.recorded_at) if refusal is not None else 0
        run.note(attempts_by_bad=len(seen.attempts(story, fenced.row.id)), started_late=late, variable=fenced.row.variable)
        run.note(attempts_spent=sum(e.kind == "attempt_deferred" and '"spent":1' in e.data for e in story))
        run.expect(late == 0, f"{late} attempts began on the bad version later than 100 ms after its first refusal")
        run.expect(fenced.row.variable == NAMED, "the fence does not name the variable")
        await judged(run, application, before)


async def _forced(run: Run, application: Application, old: Kept, deploy: Deploy) -> float:
    """Break the glass; the moment (seconds, wall clock)."""
    if not run.place.database:
        return await deploy.begin(WRONG, "--force", "--reason", "the drill breaks the glass")
    begun = await deploy.begin(WRONG)
    new = await verdict(run, application, old, begun, Stage.REFUSED)
    before = time.time()
    code, said = await force(run.place, new.row.id, "--share", "50")
    run.expect(code == 0, f"it could not be forced: {said}")
    return before


async def force(place: Place, id: str, *options: str) -> tuple[int, str]:
    """Break the glass for a release that was refused: the command's exit code, and what it said."""
    arguments = ("release", "force", id, "--reason", "the drill breaks the glass", "--data", str(place.data), *options)
    return await command(*arguments, variables=place.variables())


async def nobody_passes(run: Run) -> None:
    """(B) Forced through with no healthy release left: hold, incident, notices to exactly the affected, and everything goes afterwards."""
    async with run.begun() as (application, old):
        place = run.place
        await place.children[0].stop()
        bad = await place.process(place.variables(**WRONG), name="bad")
        new = await seen.release(application, seen.staged(Stage.UNPROVED, other_than=old.row.id), "the unproved release", seconds=30)
        code, said = await force(place, new.row.id)
        run.expect(code == 0, f"it could not be forced: {said}")
        onset = time.time()
        async with answering(place):
            agents = await told(run, application, onset)
            await for_seconds(run.outage)
            expected = {talk.agent for talk in place.talks}
            agents = await seen.told_agents(application, place)
            run.note(agents_told=len(agents))
            run.expect(set(agents) == expected, "not exactly the affected agents were told")
            await seen.until(lambda: _drafted(place), "a word on the public page", seconds=60)
            run.note(seconds_to_draft=time.time() - onset, public_drafts=len(await seen.public(place)))
        await bad.stop()
        await place.process(place.variables(), name="good")
        await run.settle()
        await judged(run, application, onset)


async def _drafted(place: Place) -> bool | None:
    return bool(await seen.public(place)) or None


async def upstream_down(run: Run) -> None:
    """(C) The service is down while a repair is deployed: undecided, nothing rolls back, and the repair goes in when it can be told."""
    async with run.begun() as (application, old):
        place = run.place
        app = (await place.sandbox.ask("POST", "sunshine/apps", {"name": "Repair"}))["app_id"]
        fresh = await place.sandbox.ask("POST", "sunshine/keys", {"app_id": app, "kind": "account"})
        await place.sandbox.ask("POST", "keys/revoke", {"key_id": place.key_id})
        await place.sandbox.ask("POST", "faults", {"service": "sunshine", "mode": "error_not_taken", "code": 503})
        deploy = Deploy(place)
        begun = await deploy.begin({"key_id": fresh["key_id"], "key_secret": fresh["key_secret"]})
        await seen.release(application, lambda k: k.row.id != old.row.id and bool(k.row.basis), "the gate's word", seconds=30)
        new = await verdict(run, application, old, begun, Stage.UNPROVED)
        run.expect(new.row.basis in ("untold", "both_fail"), f"the gate said {new.row.basis}")
        for talk in place.talks:
            await place.say(talk)
        await for_seconds(run.outage)
        story = await seen.events(application, place)
        moves = [e for e in story if e.kind in MOVES and e.recorded_at > begun * SECOND and e.stream_id == old.row.id]
        run.note(moves_of_the_old=", ".join(event.kind for event in moves))
        run.expect(not moves, "the running release was moved about while nobody could tell anything")
        await place.sandbox.ask("DELETE", "faults")
        repair = await seen.release(application, seen.staged(Stage.ADMITTED, other_than=old.row.id), "the repair's admission", seconds=40)
        run.note(seconds_to_admission=time.time() - begun, basis=repair.row.basis)
        run.note(attempts_spent=sum('"spent":1' in e.data for e in await seen.events(application, place) if e.kind == "attempt_deferred"))
        await run.settle()
        await deploy.end()


async def wrong_key_and_store(run: Run) -> None:
    """(G) A deploy with another master key, and one that points to another store: both refused for certain, by name."""
    async with run.begun() as (application, old):
        place = run.place
        deploy = Deploy(place)
        begun = await deploy.begin({"HELIOGRAPH_MASTER_KEY": "ff" * 32})
        new = await verdict(run, application, old, begun, Stage.REFUSED)
        run.expect(new.row.variable == "HELIOGRAPH_MASTER_KEY", f"the variable was not named, but “{new.row.variable}”")
        await deploy.end()
        other = Deploy(place)
        begun = await other.begin({"HELIOGRAPH_INSTALLATION": "ins_another"})
        if place.database:
            await seen.release(application, _wrong_store, "the refusal", seconds=30)
            run.note(seconds_to_verdict_store=time.time() - begun)
            await other.end()
        else:
            await other.end()
            run.note(seconds_to_verdict_store=time.time() - begun)
            run.expect(other.code == 1, f"another store was not refused: {other.said}")
        for talk in place.talks:
            await place.say(talk)
        await run.settle()
        story = await seen.events(application, place)
        spent = sum(e.kind == "attempt_started" and e.release not in (old.row.id, "drill") for e in story)
        run.note(attempts_spent=spent)
        run.expect(spent == 0, f"the refused releases made {spent} attempts")


def _wrong_store(kept: Kept) -> bool:
    return kept.row.stage is Stage.REFUSED and kept.row.subject == "store"


async def wrong_webhook_secret(run: Run) -> None:
    """(H) A deploy carries a wrong webhook secret: customers' messages are refused for now, come again, and none is lost."""
    async with run.begun():
        place = run.place
        await place.children[0].stop()
        bad = await place.process(place.variables(webhook_secret="wrong-secret-of-the-webhook"), name="bad")
        written = {f"message {number} of {talk.conversation}" for number in range(2) for talk in place.talks}
        for text in sorted(written):
            await place.sandbox.ask("POST", "contact/text", {"conversation": text.rpartition(" ")[2], "text": text})
        await for_seconds(3)
        await bad.stop()
        good = time.time()
        await place.process(place.variables(), name="good")

        async def all_there() -> bool | None:
            found: set[str] = set()
            for talk in place.talks:
                _, page = await place.api("GET", f"tickets/{talk.ticket}/comments", talk.token)
                found |= {content.get("text", "") for item in page["items"] for content in item["contents"]}
            return True if written <= found else None

        await seen.until(all_there, "the customers' messages", seconds=120)
        run.note(messages=len(written), seconds_until_all_there=time.time() - good)
        async with place.ledger() as again:
            comments = [c for talk in place.talks for c in await again.context.store.comments(talk.account, talk.ticket)]
            spent = sum('"spent":1' in e.data for e in await seen.events(again, place) if e.kind == "attempt_deferred")
        texts = [plain(load_contents(c.body)) for c in comments if c.author_kind == "contact"]
        twice = len(texts) - len(set(texts))
        run.note(lost=len(written - set(texts)), doubled=twice, attempts_spent=spent)
        run.expect(twice == 0, f"{twice} customers' messages are there twice")
