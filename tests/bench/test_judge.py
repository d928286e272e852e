"""The benchmark's provider and frame notice what a contestant did wrong."""

import http.client
import json
import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from bench import provider_control
from bench.figures import Run, flatten
from bench.frame import Frame
from bench.job import MARK, Job, Result, parse_result
from bench.payload import Reply, body_of, path_of, replies, reply
from bench.provider_control import Report
from bench.registry import CONTESTANTS, Contestant
from bench.report import BEGIN, END, page


@pytest.fixture(scope="module")
def server():
    with provider_control.provider() as url:
        yield url


@pytest.fixture
def url(server):
    provider_control.reset(server)
    return server


def call(url, method, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def deliver(url, one: Reply, key: str = ""):
    body = body_of(one)
    return call(url, "POST", path_of("bench", one.conversation), body.replace(one.key.encode(), key.encode()) if key else body)


def test_a_message_is_answered_as_sunshine_answers(url):
    first, second = deliver(url, reply(0, 1)), deliver(url, reply(0, 2))
    assert first[0] == second[0] == 201
    (message,) = first[1]["messages"]
    assert len(message["id"]) == 24
    assert message["id"] != second[1]["messages"][0]["id"]
    assert message["author"] == {"type": "business"}


def test_app_and_history_can_be_read(url):
    assert call(url, "GET", "/sc/v2/apps/a1") == (200, {"app": {"id": "a1", "subdomain": "bench"}})
    assert call(url, "GET", path_of("a1", "c1") + "?page[size]=100") == (200, {"messages": [], "meta": {"hasMore": False}})
    assert call(url, "GET", "/elsewhere")[0] == 404
    assert provider_control.report(url).other == 1


def test_everything_once_and_in_order_is_clean(url):
    for sequence in (1, 2, 3):
        deliver(url, reply(7, sequence))
    report = provider_control.report(url)
    assert (report.taken, report.distinct, report.doubled, report.overtaken, report.unreadable) == (3, 3, 0, 0, 0)
    arrived = provider_control.arrivals(url)
    assert arrived["c000007", 1] < arrived["c000007", 2] < arrived["c000007", 3]


def test_a_doubled_reply_is_counted_whatever_its_key(url):
    deliver(url, reply(0, 1))
    deliver(url, reply(0, 1), key="another")
    assert provider_control.report(url).doubled == 1


def test_a_key_used_for_two_replies_is_counted(url):
    deliver(url, reply(0, 1), key="same")
    deliver(url, reply(0, 2), key="same")
    assert provider_control.report(url).doubled == 1


def test_an_overtaken_reply_is_counted_once_and_only_in_its_conversation(url):
    for one in (reply(0, 1), reply(0, 3), reply(1, 1), reply(0, 2), reply(0, 4)):
        deliver(url, one)
    assert provider_control.report(url).overtaken == 1


def test_pipelined_and_torn_requests_are_all_taken(url):
    wire = b""
    for one in (reply(0, 1), reply(0, 2)):
        body = body_of(one)
        wire += b"POST %s HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (path_of("bench", one.conversation).encode(), len(body), body)
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        for part in (wire[:40], wire[40:700], wire[700:]):
            connection.sendall(part)
        answer = b""
        while answer.count(b"}]}") < 2:
            answer += connection.recv(65536)
    assert answer.count(b"HTTP/1.1 201 Created") == 2
    assert provider_control.report(url).distinct == 2


def job(**changes) -> Job:
    return replace(Job(name="x", replies=10, conversations=3, concurrency=1, provider="", scratch=""), **changes)


def test_replies_are_numbered_without_gaps_in_every_conversation():
    numbers: dict[str, list[int]] = {}
    for one in replies(job()):
        numbers.setdefault(one.conversation, []).append(one.sequence)
    assert numbers == {"c000000": [1, 2, 3, 4], "c000001": [1, 2, 3], "c000002": [1, 2, 3]}


def test_a_body_is_as_long_as_a_typical_reply():
    assert 560 <= len(body_of(reply(3, 17))) <= 640


CLEAN = Report(taken=10, distinct=10, doubled=0, overtaken=0, unreadable=0, conversations=2, other=0, first_ns=1, last_ns=2)


def contestant(name: str, **changes) -> Contestant:
    return replace(Contestant(name=name, label=name, module="m", kind="peer", replies=10, quick_replies=10), **changes)


def run(who: Contestant, seconds: float = 1.0, round_: int = 0, report: Report = CLEAN, **changes) -> Run:
    done = replace(Result(recorded=10, started_ns=0, finished_ns=int(seconds * 1e9)), **changes)
    return Run(contestant=who, round=round_, replies=10, result=done, report=report)


@pytest.mark.parametrize(
    ("faulty", "says"),
    [
        (run(contestant("a")), []),
        (run(contestant("a"), report=replace(CLEAN, distinct=9)), ["1 lost"]),
        (run(contestant("a"), report=replace(CLEAN, doubled=2)), ["2 doubled"]),
        (run(contestant("a"), report=replace(CLEAN, overtaken=3)), ["3 overtaken"]),
        (run(contestant("a", keeps_order=False), report=replace(CLEAN, overtaken=3)), []),
        (run(contestant("a"), recorded=8), ["2 not recorded"]),
        (Run(contestant=contestant("a"), round=0, replies=10, why_not="exit code 1", broken=True), ["exit code 1"]),
        (Run(contestant=contestant("a"), round=0, replies=10, why_not="no redis-server found"), []),
        (run(contestant("a"), report=replace(CLEAN, last_ns=10**10)), ["1 recorded before they arrived"]),
    ],
)
def test_what_the_provider_saw_decides(faulty, says):
    assert faulty.faults() == says


def test_ratios_are_taken_within_a_round_before_the_median():
    bare, ours = contestant("bare_client", kind="limit"), contestant("sqlite", kind="heliograph")
    runs = [run(bare, 1.0, 0), run(ours, 2.0, 0), run(bare, 10.0, 1), run(ours, 20.0, 1), run(contestant("slow"), 8.0, 0)]
    flat = flatten([*runs, run(contestant("slower"), 16.0, 0)])
    assert flat["sqlite.of_bare_client"] == 0.5
    assert flat["best_peer"] == "slow"
    assert flat["sqlite.of_best_peer"] == 4.0


def test_figures_of_a_contestant_become_keys_of_the_report():
    who = contestant("latency", kind="figures")
    flat = flatten([run(who, round_=number, figures={"latency_ms.p50": value}) for number, value in enumerate((3.0, 9.0, 4.0))])
    assert flat == {"latency_ms.p50": 4.0}


def test_a_result_is_found_among_other_output_and_missed_when_absent():
    assert parse_result(f'noise\n{MARK}{{"recorded": 3}}\nmore').recorded == 3
    with pytest.raises(ValueError, match="no result"):
        parse_result("noise")


def test_prose_around_the_generated_part_is_kept():
    runs = [run(contestant("bare_client", kind="limit")), Run(contestant=contestant("absent"), round=0, replies=1, why_not="no server")]
    flat = flatten(runs) | {"environment.cpus": 2, "environment.processor": "p", "environment.system": "s"}
    text = page(f"before\n{BEGIN}\nold\n{END}\nafter\n", runs, flat)
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "not measured: no server" in text
    with pytest.raises(ValueError, match="markers"):
        page("a page of its own", runs, flat)


@pytest.mark.parametrize(
    ("program", "why"),
    [("import sys; sys.exit(3)", "exit code 3"), ("print(1)", "no result"), ("import time; time.sleep(60)", "longer than 1 s")],
)
def test_a_contestant_that_breaks_is_a_fault_and_the_others_go_on(url, tmp_path, monkeypatch, program, why):
    (tmp_path / "broken_contestant.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    frame = Frame(provider=url, postgres=None, redis="", missing={}, logs=tmp_path, quick=True, say=lambda line: None)
    broken = contestant("broken", module="broken_contestant", timeout_s=1)
    whole = contestant("whole", module="bench.peers.bare", timeout_s=30)
    first, second = frame.rounds([broken, whole], 1)
    assert why in first.faults()[0]
    assert second.faults() == []
    assert second.rate > 0


def test_names_of_contestants_are_unique():
    names = [one.name for one in CONTESTANTS]
    assert len(names) == len(set(names))
