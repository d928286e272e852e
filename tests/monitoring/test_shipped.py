"""Rules and dashboard use only numbers that there are, with the labels that they have; and the rules fire when they should."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import promql_parser as promql
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from heliograph.bootstrap.metrics import Metrics
from heliograph.domain.content import Text
from heliograph.services.reply import reply
from tests.browser.stage import eventually
from tests.demonstration import Demonstration, demonstration

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
TEST = Path(__file__).parent / "alerts.test.yml"
#: Labels that Prometheus itself puts on what it scrapes, and its own metrics.
SCRAPED = {"job", "instance", "le"}
THEIRS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}
#: What Grafana fills in.
FILLED = {"$__rate_interval": "5m", '"$job"': '".*"'}

Series = dict[str, set[str]]


def rules() -> list[dict[str, Any]]:
    found = msgspec.yaml.decode(RULES.read_bytes(), type=dict[str, Any])
    return [rule for group in found["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.json.decode((DEPLOY / "grafana" / "heliograph.json").read_bytes()))


def expressions() -> list[str]:
    """Every expression that is shipped."""
    shown = dashboard()
    found = [target["expr"] for panel in shown["panels"] for target in panel.get("targets", [])]
    found += [one["expr"] for one in shown["annotations"]["list"]]
    for old, new in FILLED.items():
        found = [expr.replace(old, new) for expr in found]
    return [rule["expr"] for rule in rules()] + found


def walk(node: Any) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that it is asked for."""
    if isinstance(node, promql.VectorSelector):
        yield node.name or "", {matcher.name for matcher in node.matchers.matchers}
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        if hasattr(node, name):
            yield from walk(getattr(node, name))
    for argument in getattr(node, "args", None) or []:
        yield from walk(argument)


def grouped(node: Any) -> Iterator[tuple[set[str], Any]]:
    """Each `by (…)`, and what it is of."""
    if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
        yield set(node.modifier.labels), node.expr
    for name in ("lhs", "rhs", "expr"):
        if hasattr(node, name):
            yield from grouped(getattr(node, name))
    for argument in getattr(node, "args", None) or []:
        yield from grouped(argument)


async def answer_ticket(made: Demonstration, ticket: str, text: str) -> None:
    demo = made.demo
    await reply(
        made.process.application.context, demo.account, ticket, agent=demo.agent, actor=f"agent:{demo.agent}", contents=[Text(text)],
        public=True,
    )  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def series() -> Series:
    """Name -> labels, of a process whose key was revoked, and in which all that is counted has happened once."""
    async with demonstration() as made:
        context, demo = made.process.application.context, made.demo
        sandbox, seeded = demo.sandbox.sandbox, demo.plan.seeded
        sandbox.sunshine.contacts.text(seeded.conversation_id, "Hello")
        tickets = await eventually(lambda: context.store.tickets(demo.account, state="open", before=None, limit=9), bool)
        await answer_ticket(made, tickets[0].id, "it goes out")
        await eventually(lambda: context.store.counts(demo.account), lambda counts: set(counts) <= {"accepted", "delivered", "read"})
        sandbox.sunshine.center.keys[seeded.account_key_id].revoked = True
        for bot in sandbox.telegram.center.bots.values():
            bot.revoked = True
        context.suspect(demo.account, demo.telegram)
        await answer_ticket(made, tickets[0].id, "it waits")
        await eventually(context.store.unwell, lambda unwell: {health.account for health in unwell} == {"", demo.account})
        observe = cast(Metrics, made.process.vitals.metrics).observe
        observe("webhook_refused", {"provider": "sunshine", "why": "signature"})
        observe("store_unavailable", {"route": "reply"})
        observe("quarantine_full", {"channel": "chn_1"})
        observe("quarantine_released", {"channel": "chn_1"})
        observe("round_failed", {"error": "Unavailable"})
        observe("poll_failed", {"provider": "telegram", "reason": "network"})
        observe("round_bug", {"error": "ValueError"})
        observe("operator_paged", {"seconds": 1.5})
        observe("attempt_concluded", {"provider": "sunshine", "outcome": "refused", "reason": "other", "seconds": 0.1})
        async with ClientSession() as client, client.get(f"{made.url}/metrics") as answer:
            page = await answer.text()
    found: Series = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    assert len(page) < 60_000
    return found


@pytest.mark.parametrize("expression", expressions())
@pytest.mark.asyncio(loop_scope="module")
async def test_only_numbers_that_there_are_are_asked_for(series: Series, expression: str) -> None:
    parsed = promql.parse(expression)
    known = {name: labels | SCRAPED for name, labels in series.items()} | THEIRS
    asked = list(walk(parsed))
    assert asked
    for name, labels in asked:
        assert name in known, name
        assert labels <= known[name], (name, labels)
    for by, node in grouped(parsed):
        for name, _ in walk(node):
            assert by <= known[name], (name, by)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_number_of_ours_has_its_place_on_the_dashboard(series: Series) -> None:
    shown = {name for expression in expressions() for name, _ in walk(promql.parse(expression))}
    ours = {name for name in series if name.startswith("heliograph_") and not name.endswith(("_created", "_count", "_sum"))}
    # By stage, all that ever were: what runs has a panel.
    assert ours - shown == {"heliograph_releases"}


def test_rules_say_how_urgent_they_are_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["description"], rule["alert"]


def test_each_rule_is_seen_to_fire() -> None:
    """Which promtool then does."""
    text = TEST.read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in text] == []


def test_promtool_takes_the_rules_and_sees_them_fire() -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("no promtool here; it comes with Prometheus")
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(TEST)]):
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_panels_do_not_overlap_and_fill_the_width() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    height = 1 + max(y for _, y in taken)
    assert len(taken) == 24 * height
