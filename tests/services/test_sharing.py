"""Two processes that send share a published pace; one that is idle or gone leaves the other the whole."""

from pathlib import Path

from heliograph.domain.outcomes import Accepted
from heliograph.domain.retry import SECOND
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.bulkheads import Bulkhead
from heliograph.services.sharing import ALIVE, KIND, share
from heliograph.services.traffic import Traffic
from tests.services.test_troubles import Line, desk
from tests.worker.test_delivering import TAKEN


async def test_processes_that_send_share_the_pace(tmp_path: Path) -> None:
    made = await desk(tmp_path, "telegram", Line(lambda method, url: TAKEN))
    context = made.context
    now = context.clock.now()
    connected = await context.channels.get(made.account, made.channel.id)
    assert connected is not None
    await made.say()
    claimed = await context.store.claim(worker="w", now=context.clock.now(), lease_until=now + 60 * SECOND, limit=1)
    traffic = Traffic(8)

    await share(context, traffic, worker="one")
    assert await context.store.documents("", KIND) == []
    [call] = traffic.begin(claimed, now)
    traffic.know(connected, call, now)
    traffic.answered(call, connected, claimed[0].lane, Accepted("1"), now)
    traffic.end(call)
    traffic.begin(claimed, context.clock.now())
    [whole] = [
        each.pace for each in traffic.room(now)[1].bulkheads[made.account, made.channel.id] if isinstance(each, Bulkhead) and each.pace
    ]
    await share(context, traffic, worker="one")
    assert whole.share == 1.0
    others = Changes("", now)
    others.puts += [
        rows.Document("", KIND, "two", 0, context.clock.now(), "{}"),
        rows.Document("", KIND, "gone", 0, context.clock.now() - ALIVE - SECOND, "{}"),
    ]
    await context.store.commit(others)
    await share(context, traffic, worker="one")
    assert whole.share == 0.5
    assert {document.id for document in await context.store.documents("", KIND)} == {"one", "two", "gone"}
    await made.application.close()
