"""The control API under /sandbox: seeding, faults, what contacts do, the judge. Loopback demonstrations and tests only."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote

from heliograph.sandbox import acting, views
from heliograph.sandbox.faults import BadFault, Mode, fault_from_json
from heliograph.sandbox.service import Settings
from heliograph.sandbox.sunshine.center import Problem as SunshineProblem
from heliograph.sandbox.tally import BadReport
from heliograph.sandbox.wire import Json, Request, Response, answer
from heliograph.sandbox.world import TRIGGERS, Sandbox


class Refused(Exception):
    """The control API does not take the request as it is."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.response = answer(code, {"error": why})


@dataclass(frozen=True, slots=True)
class Ask:
    """One control request."""

    sandbox: Sandbox
    request: Request
    rest: tuple[str, ...]
    body: Json

    def text(self, name: str, default: str | None = None) -> str:
        """A string of the body. Raises Refused if it is missing and has no default."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise Refused(400, f"{name} must be a string")
        return value

    def optional(self, name: str) -> str | None:
        """A string of the body, or None."""
        return None if self.body.get(name) is None else self.text(name)


_Handler = Callable[[Ask], Any]


def handle(sandbox: Sandbox, request: Request) -> Response:
    """Answer a request whose path starts with /sandbox. Streams are the server's."""
    pieces = tuple(unquote(p) for p in request.path.strip("/").split("/"))[1:]
    for length in range(len(pieces), -1, -1):
        handler = _TABLE.get((request.method, "/".join(pieces[:length])))
        if handler:
            break
    else:
        return answer(404, {"error": "no such control", "controls": sorted(f"{m} /sandbox/{p}" for m, p in _TABLE)})
    try:
        result = handler(Ask(sandbox, request, pieces[length:], _body(request)))
    except (Refused, SunshineProblem) as refused:
        return refused.response
    except LookupError as missing:
        return answer(404, {"error": f"not found: {missing.args[0]}" if missing.args else "not found"})
    except (BadFault, BadReport, ValueError) as bad:
        return answer(400, {"error": str(bad)})
    return result if isinstance(result, Response) else answer(200, result)


def _body(request: Request) -> Json:
    if request.files or not request.body:
        return dict(request.form)
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415, "send application/json")
    try:
        body = request.json()
    except (ValueError, RecursionError):
        raise Refused(400, "malformed JSON") from None
    return body if isinstance(body, dict) else {"items": body}


# --- making things ----------------------------------------------------------------------------


def _seed(ask: Ask) -> Json:
    return ask.sandbox.seed_demo(
        webhook_url=ask.optional("webhook_url"), webhook_secret=ask.optional("webhook_secret"),
        telegram_webhook_url=ask.optional("telegram_webhook_url"), telegram_secret=ask.text("telegram_secret", ""),
        contact=ask.text("contact", "Ada"),
    ).to_json()  # fmt: skip


def _direct(ask: Ask) -> Json:
    return ask.sandbox.seed_direct(ask.text("service"), contact=ask.text("contact", "Ada"), webhook_url=ask.text("webhook_url", ""))


def _app(ask: Ask) -> Json:
    center = ask.sandbox.sunshine.center
    app = center.new_app(ask.text("name", "App"))
    key = center.new_key(app, "app")
    return {"app_id": app.id, "key_id": key.id, "key_secret": key.secret}


def _key(ask: Ask) -> Json:
    center = ask.sandbox.sunshine.center
    kind = ask.text("kind", "app")
    if kind not in ("app", "account", "integration"):
        raise Refused(400, "kind must be one of app, account, integration")
    key = center.new_key(center.apps[ask.text("app_id")], kind, integration_id=ask.text("integration_id", ""))
    return {"key_id": key.id, "key_secret": key.secret}


def _webhook(ask: Ask) -> Json:
    center = ask.sandbox.sunshine.center
    app = center.apps[ask.text("app_id")]
    wanted = ask.optional("integration_id")
    integration = app.integrations[wanted] if wanted else center.new_integration(app, "custom", "Desk")
    triggers = tuple(str(t) for t in ask.body.get("triggers") or TRIGGERS)
    hook = center.new_webhook(app, integration, target=ask.text("target"), triggers=triggers, secret=ask.optional("secret"))
    return {"webhook_id": hook.id, "webhook_secret": hook.secret, "integration_id": integration.id}


def _contact(ask: Ask) -> Json:
    app = ask.sandbox.sunshine.center.apps[ask.text("app_id")]
    place = ask.sandbox.new_contact(
        app, ask.text("name", "Ada"), channel=ask.text("channel", "whatsapp"), external_id=ask.optional("external_id")
    )
    return {"user_id": next(iter(place.participants)), "conversation": place.id}


def _bot(ask: Ask) -> Json:
    bot = ask.sandbox.telegram.center.new_bot(ask.text("username", "desk_bot"), ask.text("name", "Desk"))
    return {"bot_id": bot.id, "bot_token": bot.token}


def _chat(ask: Ask) -> Json:
    center = ask.sandbox.telegram.center
    bot = center.bots[int(ask.body.get("bot_id", 0))]
    kind = ask.text("kind", "private")
    if kind not in ("private", "group"):
        raise Refused(400, "kind must be one of private, group")
    chat = center.new_chat(bot, ask.text("name", "Ada"), kind=kind, username=ask.text("username", ""))
    return {"conversation": str(chat.id)}


def _settings(ask: Ask) -> Json:
    settings = ask.sandbox.settings
    for name, value in ask.body.items():
        if name not in Settings.__slots__:
            raise Refused(400, f"unknown setting {name}; there are {', '.join(Settings.__slots__)}")
        may_be_none = name in ("channel_after", "user_after") and value is None
        if not may_be_none and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise Refused(400, f"{name} must be a number of at least 0")
        setattr(settings, name, value)
    return asdict(settings)


# --- faults and keys --------------------------------------------------------------------------


def _list_faults(ask: Ask) -> Json:
    return {"faults": [f.to_json() for f in ask.sandbox.faults.active(ask.request.query.get("service"))]}


def _set_fault(ask: Ask) -> Json:
    return ask.sandbox.faults.set(fault_from_json(ask.body)).to_json()


def _clear_faults(ask: Ask) -> Json:
    query = ask.request.query
    cleared = ask.sandbox.faults.clear(
        id=ask.rest[0] if ask.rest else None, service=query.get("service"), mode=Mode(query["mode"]) if "mode" in query else None
    )
    return {"cleared": cleared}


def _key_switch(ask: Ask, *, revoked: bool) -> Json:
    name = ask.text("key_id")
    if not any(service.revoke(name, revoked=revoked) for service in ask.sandbox.services.values()):
        raise Refused(404, "no such key (a bot's key is the number before the colon)")
    return {"key_id": name, "revoked": revoked}


# --- the judge and the records ----------------------------------------------------------------


def _written(ask: Ask) -> Json:
    items = ask.body["items"] if isinstance(ask.body.get("items"), list) else [ask.body]
    for item in items:
        if not isinstance(item, dict):
            raise Refused(400, "a written reply is an object")
        one = Ask(ask.sandbox, ask.request, (), item)
        order = item.get("order")
        if order is not None and (isinstance(order, bool) or not isinstance(order, int | float)):
            raise Refused(400, "order must be a number")
        ask.sandbox.tally.write(
            service=one.text("service", "sunshine"), conversation=one.text("conversation"), key=one.optional("key"),
            text=one.optional("text"), order=order,
        )  # fmt: skip
    return counts(ask.sandbox)


def _claim(ask: Ask) -> Json:
    ask.sandbox.tally.claim(
        service=ask.text("service", "sunshine"), conversation=ask.text("conversation"), key=ask.optional("key"), text=ask.optional("text"),
        claim=ask.text("claim", "accepted"),
    )  # fmt: skip
    return counts(ask.sandbox)


def _final(ask: Ask) -> Json:
    ask.sandbox.tally.finish()
    return counts(ask.sandbox)


def _reset_counts(ask: Ask) -> Json:
    ask.sandbox.tally.reset()
    return counts(ask.sandbox)


def counts(sandbox: Sandbox) -> Json:
    """The verdict, with the faults that are on, for the strip."""
    return {**sandbox.tally.counts().to_json(), "final": sandbox.tally.final, "webhooks": sandbox.outbox.waiting()}


def _counts(ask: Ask) -> Json:
    query = ask.request.query
    if "conversation" in query:
        return ask.sandbox.tally.counts_of(query.get("service", "sunshine"), query["conversation"]).to_json()
    return counts(ask.sandbox)


def _accepted(ask: Ask) -> Json:
    taken = ask.sandbox.tally.taken(ask.request.query.get("service"), ask.request.query.get("conversation"))
    return {"accepted": [
        {"sequence": t.sequence, "at": t.at, "service": t.service, "conversation": t.conversation, "message_id": t.message_id,
         "text": t.text, "labels": sorted(t.labels)} for t in taken
    ]}  # fmt: skip


def _requests(ask: Ask) -> Json:
    query = ask.request.query
    after = _whole(query, "after")
    if "after_first" in query:
        first = ask.sandbox.journal.first_with_outcome(query["after_first"])
        if first is None:
            return {"requests": [], "first": None}
        after = max(after, first)
    found = ask.sandbox.journal.find(service=query.get("service"), operation=query.get("operation"), key=query.get("key"), after=after)
    return {"requests": found, "first": after if "after_first" in query else None}


def _webhook_log(ask: Ask) -> Json:
    return {"calls": list(ask.sandbox.outbox.log), **ask.sandbox.outbox.waiting()}


def _phone(ask: Ask) -> Json:
    query, sandbox = ask.request.query, ask.sandbox
    service, conversation = query.get("service", "sunshine"), query.get("conversation", "")
    if not conversation:
        return {"phones": views.phones(sandbox)}
    return views.phone(sandbox, service, conversation)


def _file(ask: Ask) -> Response:
    service, id = ask.rest
    return ask.sandbox.services[service].file(id)


def _whole(query: Mapping[str, str], name: str) -> int:
    value = query.get(name, "0")
    if not value.isdigit():
        raise Refused(400, f"{name} must be a whole number")
    return int(value)


_TABLE: dict[tuple[str, str], _Handler] = {
    ("POST", "seed"): _seed,
    ("GET", "demo"): lambda ask: ask.sandbox.demo.to_json() if ask.sandbox.demo else {},
    ("POST", "direct"): _direct,
    ("POST", "sunshine/apps"): _app,
    ("POST", "sunshine/keys"): _key,
    ("POST", "sunshine/webhooks"): _webhook,
    ("POST", "sunshine/contacts"): _contact,
    ("POST", "telegram/bots"): _bot,
    ("POST", "telegram/chats"): _chat,
    ("POST", "settings"): _settings,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _set_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "keys/revoke"): lambda ask: _key_switch(ask, revoked=True),
    ("POST", "keys/restore"): lambda ask: _key_switch(ask, revoked=False),
    ("POST", "webhooks/release"): lambda ask: {"released": ask.sandbox.outbox.release()},
    ("GET", "webhooks"): _webhook_log,
    ("POST", "contact"): lambda ask: acting.act(ask.sandbox, "/".join(ask.rest), ask.body, ask.request),
    ("POST", "written"): _written,
    ("POST", "terminal"): _claim,
    ("POST", "final"): _final,
    ("GET", "counts"): _counts,
    ("DELETE", "counts"): _reset_counts,
    ("GET", "accepted"): _accepted,
    ("GET", "requests"): _requests,
    ("GET", "phone"): _phone,
    ("GET", "file"): _file,
}
