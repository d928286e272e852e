"""Going back: the release that sent before sends again if a process of it runs; otherwise one is told which to start."""

import pytest

from heliograph.domain.gate import Stage
from heliograph.services import releases
from heliograph.services.context import Invalid
from tests.services.test_releases import Place, first, place as place, until


async def test_the_former_release_sends_again_or_it_is_said_which_to_start(place: Place) -> None:
    old, account, agent = await first(place)
    context = old.application.context
    with pytest.raises(Invalid, match="nothing to go back to"):
        await releases.roll_back(context, actor="operator")
    new = await (await place.process("new", code="1.1")).begin()
    await new.stage(Stage.SHARING)
    new.keeper._succeeded = 11
    await new.stage(Stage.ADMITTED)
    await old.stage(Stage.RETIRED)
    fenced, back = await releases.roll_back(context, actor="operator")
    assert (fenced, back.row.id) == (new.id, old.id)
    await new.stage(Stage.FENCED)
    await old.stage(Stage.ADMITTED)
    assert new.keeper.row is not None and new.keeper.row.basis == "rolled_back"
    await place.say(new, account, agent, "hello")
    await until(lambda: place.sandbox.sandbox.tally.taken())
    stamped = await context.store.account_events(account, after=0, limit=1000)
    assert {event.release for event in stamped if event.kind == "attempt_started"} == {old.id}
    assert await releases.anybody_sends(context.store, context.clock.now())
    newest = await (await place.process("newest", code="1.2")).begin()
    await newest.stage(Stage.SHARING)
    newest.keeper._succeeded = 11
    await newest.stage(Stage.ADMITTED)
    await old.stop()
    place.started.remove(old)
    with pytest.raises(Invalid, match=old.id):
        await releases.roll_back(newest.application.context, actor="operator")
