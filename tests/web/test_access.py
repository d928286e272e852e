"""Deny by default: every route is in the policy, and every route keeps it, whoever asks."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from heliograph.bootstrap.application import Config, build
from heliograph.bootstrap.metrics import Metrics
from heliograph.web.app import create_app
from heliograph.web.policy import API, POLICY, Need, need_of
from heliograph.web.vitals import Vitals
from heliograph.web.workspace.routes import routes_and_front
from tests.web.installation import House

#: Added by the framework to tell that there is no such document; refused by our guard, since no policy names it.
FRAMEWORK = {("GET", f"{API}/{{path}}")}
GUARDED = {route: need for route, need in POLICY.items() if need is not Need.OPEN}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", f"{API}/tickets/{{ticket}}/comments"): {"contents": [{"type": "text", "text": "hello"}]},
    ("POST", f"{API}/deliveries/{{delivery}}/decide"): {"decision": "cancel"},
    ("POST", f"{API}/channels"): {"provider": "telegram", "name": "T", "config": {"token": "1:a"}},
    ("PATCH", f"{API}/channels/{{channel}}"): {"name": "renamed"},
    ("POST", f"{API}/tokens"): {"name": "t"},
}


async def test_every_route_stands_in_the_policy_and_every_policy_has_its_route(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32))
    try:
        app = create_app(application, vitals=Vitals(Metrics(application.context.clock.now)))
        routes = {
            (method, route.path_format)
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for method, (handler, _) in route.route_handler_map.items()
            if method not in ("OPTIONS", "HEAD") and not isinstance(handler.opt.get("need"), Need)
        }
        assert routes - FRAMEWORK == set(POLICY)
    finally:
        await application.close()


async def test_every_page_names_what_it_needs(tmp_path: Path) -> None:
    application = await build(Config(tmp_path, b"k" * 32))
    try:
        app = create_app(application, vitals=Vitals(Metrics(application.context.clock.now)), extra=routes_and_front)
        nameless = [
            (method, route.path_format)
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for method, (handler, _) in route.route_handler_map.items()
            if method != "OPTIONS" and need_of(method, route.path_format, handler.opt) is None
        ]
        assert set(nameless) == FRAMEWORK
        assert len(app.routes) > len(POLICY)
    finally:
        await application.close()


async def things(here: House) -> dict[str, str]:
    """Ids of one thing of each kind in the first account."""
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    saved = await here.write(ticket, "answer")
    file = (await here.send("POST", f"{API}/files?name=a.txt", b"text", content_type="text/plain")).json()
    _, tokens = await here.call("GET", f"{API}/tokens")
    spare = next(token["id"] for token in tokens if token["name"] == "spare")
    return {"ticket": ticket, "delivery": saved["deliveries"][0], "channel": here.channel, "file": file["id"], "token": spare}


async def ask(here: House, route: tuple[str, str], ids: dict[str, str], *, by: str) -> tuple[int, bytes]:
    method, path = route
    filled = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)
    if path == f"{API}/deliveries":
        filled += "?state=queued"
    if route == ("POST", f"{API}/files"):
        answer = await here.send(method, f"{filled}?name=x.txt", b"x", by=by, content_type="text/plain")
        return answer.code, answer.body
    if route in BODIES:
        code, body = await here.call(method, filled, BODIES[route], by=by)
        return code, repr(body).encode()
    answer = await here.send(method, filled, by=by)
    return answer.code, answer.body


@pytest.mark.parametrize("by", ["", "other", "read", "write", "admin"])
async def test_the_whole_matrix(here: House, by: str) -> None:
    ids = await things(here)
    allowed = {"": (), "read": (Need.READ,), "write": (Need.READ, Need.WRITE)}.get(by, (Need.READ, Need.WRITE, Need.ADMIN))
    wrong = []
    for route, need in sorted(GUARDED.items()):
        code, body = await ask(here, route, ids, by=by)
        if by == "":
            fine = code == 401
        elif by == "other":
            # What belongs to another account does not exist, and no list shows it.
            fine = code == 404 if "{" in route[1] else code < 300
            fine = fine and not any(id.encode() in body for id in ids.values())
        elif need in allowed:
            fine = code < 300 or code == 409
        else:
            fine = code == 403
        if not fine:
            wrong.append((route, code, body[:200]))
    assert wrong == []


async def test_the_answer_to_nobody_says_how_to_come_in(here: House) -> None:
    answer = await here.send("GET", f"{API}/me", by="")
    assert answer.code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "Bearer hgt_" in answer.json()["detail"]


NO_TOKENS = (
    "Bearer", "Bearer ", "Bearer nonsense", "Basic aGd0Og==", "Bearer hgt_" + "0" * 40, "Bearer \xff", "bearer hgt_" + "z" * 10_000,
)  # fmt: skip


async def test_what_is_no_token_is_nobody(here: House) -> None:
    for header in NO_TOKENS:
        answer = await here.send("GET", f"{API}/me", by="", authorization=header)
        assert answer.code == 401, header[:30]
        assert "unknown, expired or revoked" in answer.json()["detail"]


async def test_a_token_lives_until_it_is_revoked_or_expires(here: House) -> None:
    code, made = await here.call("POST", f"{API}/tokens", {"name": "robot", "scope": "write"})
    assert code == 201 and re.fullmatch(r"hgt_[0-9a-z]{40}", made["token"])
    here.tokens["robot"] = made["token"]
    code, me = await here.call("GET", f"{API}/me", by="robot")
    assert code == 200 and me["scopes"] == ["read", "write"] and me["agent"]["id"] == "agt_one"
    assert made["token"] not in repr((await here.call("GET", f"{API}/tokens"))[1])
    assert (await here.call("DELETE", f"{API}/tokens/{made['id']}"))[0] == 204
    assert (await here.call("DELETE", f"{API}/tokens/{made['id']}"))[0] == 204
    assert (await here.call("GET", f"{API}/me", by="robot"))[0] == 401

    soon = here.application.context.clock.now() + 300_000
    at = datetime.fromtimestamp(soon / 1e6, UTC).isoformat()
    code, made = await here.call("POST", f"{API}/tokens", {"name": "short", "expires_at": at})
    assert code == 201
    here.tokens["short"] = made["token"]
    assert (await here.call("GET", f"{API}/me", by="short"))[0] == 200

    async def code_of_me() -> int:
        return (await here.call("GET", f"{API}/me", by="short"))[0]

    assert await here.eventually(code_of_me, lambda code: code == 401) == 401
    assert (await here.call("POST", f"{API}/tokens", {"name": "late", "expires_at": at}))[0] == 422
    for nobody in ("agt_two", "agt_nobody", "\u0090"):
        code, problem = await here.call("POST", f"{API}/tokens", {"name": "x", "agent": nobody})
        assert code == 422 and problem["errors"][0]["field"] == "agent"


async def test_a_wrong_digit_is_seen_without_asking_the_store(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    store = here.application.context.store

    async def token_by_hash(digest: str) -> None:
        asked.append(digest)

    monkeypatch.setattr(store, "token_by_hash", token_by_hash)
    text = here.tokens["read"]
    wrong = text[:10] + ("0" if text[10] != "0" else "1") + text[11:]
    assert (await here.send("GET", f"{API}/me", by="", authorization=f"Bearer {wrong}")).code == 401
    assert asked == []
    assert (await here.send("GET", f"{API}/me", by="", authorization=f"Bearer {text}")).code == 401
    assert len(asked) == 1


async def test_a_cookie_counts_only_on_our_own_pages(here: House) -> None:
    cookie = f"heliograph_token={here.tokens['write']}"
    await here.contact_writes("hello")
    path = f"{API}/tickets/{(await here.ticket())['id']}/solve"
    assert (await here.send("GET", f"{API}/me", by="", cookie=cookie)).code == 200
    assert (await here.send("POST", path, by="", cookie=cookie, sec_fetch_site="same-origin")).code == 200
    assert (await here.send("POST", path, by="", cookie=cookie, origin=here.url)).code == 200
    elsewhere: list[dict[str, str]] = [
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "https://evil.example"}, {"origin": "null"}, {},
    ]  # fmt: skip
    for foreign in elsewhere:
        answer = await here.send("POST", path, None, by="", cookie=cookie, **foreign)
        assert answer.code == 403, foreign
    assert (await here.send("POST", path, by="write", cookie=cookie, sec_fetch_site="cross-site")).code == 200


async def test_what_the_token_did_stands_in_the_ledger_under_its_name(here: House) -> None:
    await here.contact_writes("hello")
    ticket = (await here.ticket())["id"]
    await here.write(ticket, "by program")
    cookie = f"heliograph_token={here.tokens['write']}"
    assert (await here.send("POST", f"{API}/tickets/{ticket}/solve", by="", cookie=cookie, origin=here.url)).code == 200
    _, events = await here.call("GET", f"{API}/tickets/{ticket}/events")
    by = {event["kind"]: event["actor"] for event in events["items"]}
    assert by["reply_queued"].startswith("token:tok_")
    assert by["ticket_solved"] == "agent:agt_one"
