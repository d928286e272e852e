"""Scenarios without a deploy: keys revoked, one account's token dies, receipts that fail, a reboot with bad settings."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from heliograph.bootstrap.application import Application
from heliograph.domain.incident import Incident
from heliograph.drill import seen
from heliograph.drill.place import PREFIX, Place
from heliograph.drill.scenario import Run
from heliograph.drill.traffic import answering, for_seconds
from heliograph.drill.truth import SECOND


async def told(run: Run, application: Application, onset: float) -> dict[str, int]:
    """Wait until somebody was told in the product, and note how long that took after `onset` (seconds, wall clock)."""

    async def ask() -> dict[str, int] | None:
        return await seen.told_agents(application, run.place) or None

    found = await seen.until(ask, "a notice", seconds=30)
    run.note(seconds_to_told=min(found.values()) / SECOND - onset)
    return found


async def trouble(run: Run, application: Application, begin: Callable[[], Awaitable[object]], end: Callable[[], Awaitable[object]]) -> None:
    """Something breaks while agents answer, and is mended; what waited goes by itself. Notes hold, notice, impact and drain."""
    place = run.place
    async with answering(place):
        await for_seconds(1)
        onset = time.time()
        await begin()
        async with asyncio.timeout(60):
            await told(run, application, onset)
        await for_seconds(run.outage)
        await end()
        mended = time.time()
        await for_seconds(2)
    await run.settle()
    run.note(seconds_to_drain=time.time() - mended)
    await judged(run, application, onset)


async def judged(run: Run, application: Application, onset: float) -> None:
    """The bars of any trouble: a hold within 2 s of the first refusal, told within 5 s, nothing spent, impact exact."""
    await for_seconds(1)
    story = await seen.events(application, run.place)
    refusal = seen.first_refusal(story)
    holds = [e.recorded_at for e in story if e.kind == "hold_started" and e.recorded_at >= onset * SECOND]
    if refusal is not None and holds:
        run.note(seconds_to_hold=max(min(holds) - refusal.recorded_at, 0) / SECOND)
        trials = sum(e.kind == "trial_started" for e in story)
        run.note(attempts_spent=sum(e.kind == "attempt_deferred" and '"spent":1' in e.data for e in story))
        run.expect(run.figures["attempts_spent"] == 0, "a reply's retries were spent on a fault that was not its own")
        run.note(trials=trials)
        run.expect(float(run.figures["seconds_to_hold"]) <= 2, "the hold came later than 2 s after the first refusal")
        run.note(calls_in_vain=await calls_in_vain(run.place))
    run.expect(float(run.figures.get("seconds_to_told", 0)) <= 5, "agents were told later than 5 s after the onset")
    found = await seen.open_incidents(application)
    run.note(incidents=len(found), **await seen.compared(application, run.place, found))
    run.expect(run.figures["impact_precision"] == 1.0, "the impact names replies that were not held up")
    run.expect(run.figures["impact_recall"] == 1.0, "the impact misses replies that were held up")


async def calls_in_vain(place: Place) -> int:
    """Sends that the service refused for their credentials."""
    calls = (await place.sandbox.ask("GET", "requests?operation=send"))["requests"]
    return sum(call["outcome"] == "401" for call in calls)


async def key_revoked(run: Run) -> None:
    """(D) A key is revoked with no deploy: nothing restarts, nobody leaves the fleet, everything waits and goes."""
    async with run.begun() as (application, _):
        place = run.place
        unready: list[int] = []
        watch = asyncio.create_task(_readiness(place, unready))
        await trouble(
            run, application, lambda: place.sandbox.ask("POST", "keys/revoke", {"key_id": place.key_id}),
            lambda: place.sandbox.ask("POST", "keys/restore", {"key_id": place.key_id}),
        )  # fmt: skip
        watch.cancel()
        run.note(unready=len(unready), restarts=sum(child.process.returncode is not None for child in place.children))
        run.expect(not unready, "readiness failed while the provider refused the key")
        run.expect(run.figures["incidents"] == 1, f"{run.figures['incidents']} incidents, where there was one trouble")


async def _readiness(place: Place, unready: list[int]) -> None:
    while True:
        async with place.http.get(f"http://127.0.0.1:{place.port}/readyz") as answer:
            if answer.status != 200:
                unready.append(answer.status)
        await asyncio.sleep(0.2)


async def one_account(run: Run) -> None:
    """(E) One account's own token dies: its agents are told, the public and the others hear nothing of it."""
    async with run.begun(own=1) as (application, _):
        place = run.place
        [(account, key)] = place.own.items()
        await trouble(
            run, application, lambda: place.sandbox.ask("POST", "keys/revoke", {"key_id": key}),
            lambda: place.sandbox.ask("POST", "keys/restore", {"key_id": key}),
        )  # fmt: skip
        found: list[Incident] = await seen.open_incidents(application)
        agents = {talk.agent for talk in place.talks if talk.account == account}
        strangers = set(await seen.told_agents(application, place)) - agents
        shown = await seen.public(place)
        run.note(public_incidents=len(shown), strangers_told=len(strangers))
        run.expect(not shown and all(incident.account == account for incident in found), "one account's token became a public incident")
        run.expect(not strangers, "agents of other accounts were told")


async def failed_by_receipt(run: Run) -> None:
    """(I) The service answers 201 and fails by receipt, for a fault that is the channel's: held, and sent again when it works."""
    async with run.begun() as (application, _):
        place = run.place
        fault = {"service": "sunshine", "mode": "receipt_failure", "error_code": "unauthorized"}
        async with answering(place, pause=0.3):
            await for_seconds(1)
            await place.sandbox.ask("POST", "faults", fault)
            await for_seconds(run.outage)
            await place.sandbox.ask("DELETE", "faults")
            await for_seconds(1)

        async def arrived() -> int:
            taken = 0
            for account in place.accounts:
                counts = await application.context.store.counts(account)
                taken += sum(number for state, number in counts.items() if state in ("accepted", "delivered", "read"))
            return taken

        async def all_there() -> bool | None:
            return True if await arrived() == len(place.replies) else None

        await seen.until(all_there, "the end of what was handed back", seconds=120)
        counts = await place.drained(seconds=1)
        story = await seen.events(application, place)
        returned = Counter(event.subject for event in story if event.kind == "receipt_returned")
        # A copy that the service took and handed back was not delivered, so the one that followed doubles nothing.
        accepted = (await place.sandbox.ask("GET", "accepted"))["accepted"]
        copies = Counter(id for message in accepted for id in {label.partition(".")[0] for label in message["labels"]})
        doubled = sum(max(copies[reply.delivery] - returned[reply.delivery] - 1, 0) for reply in place.replies)
        run.note(handed_back=len(returned), attempts_spent=sum('"spent":1' in e.data for e in story if e.kind == "attempt_deferred"))
        run.note(replies=len(place.replies), lost=len(place.replies) - await arrived(), doubled=doubled, overtaken=counts["overtaken"])
        run.expect(bool(returned), "no receipt handed a reply back: nothing was drilled")
        run.expect(doubled == 0, f"{doubled} replies were delivered twice")
        run.expect(not counts["overtaken"], f"{counts['overtaken']} replies were overtaken")


async def reboot_with_bad_settings(run: Run) -> None:
    """(J) A reboot with bad settings and nobody to compare with: desk and webhooks are up, sending waits, the variable is named."""
    async with run.begun() as (application, old):
        place = run.place
        await place.say(place.talks[0])
        await place.drained()
        await place.children[0].stop()
        begun = time.time()
        bad = await place.process(place.variables(key_secret="wrong-secret-of-a-bad-deploy"), name="bad")
        new = await seen.release(
            application, lambda kept: kept.row.id != old.row.id and bool(kept.row.basis), "the word on the bad settings", seconds=30
        )
        run.note(seconds_to_verdict=new.row.ended_at / SECOND - begun if new.row.ended_at else time.time() - begun)
        run.note(basis=new.row.basis, variable=new.row.variable)
        run.expect(new.row.variable == f"{PREFIX}KEY_SECRET", "the variable was not named")
        for talk in place.talks:
            await place.say(talk)
        await place.sandbox.ask("POST", "contact/text", {"conversation": place.talks[0].conversation, "text": "are you there"})
        await for_seconds(2)
        spent = len(seen.attempts(await seen.events(application, place), new.row.id))
        run.note(attempts_spent=spent)
        run.expect(spent == 0, f"{spent} attempts were made with bad settings")
        await bad.stop()
        await place.process(place.variables(), name="good")
        await run.settle()
