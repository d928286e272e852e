"""A faithful Slack of our own: the Web API's methods for messages, lists and files, and signed events."""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from heliograph.sandbox.direct import slack_files
from heliograph.sandbox.direct.service import Call, DirectService, Route
from heliograph.sandbox.direct.slack_messages import (
    APP,
    BOT,
    BOT_USER,
    TEAM,
    TEXT_LIMIT,
    arguments,
    done,
    escaped,
    event,
    flag,
    message_json,
    moment,
    packed,
    place_of,
    plain,
    problem,
    refused,
    signed,
    thread_of,
    whole,
)
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.faults import Fault, Mode, code_of
from heliograph.sandbox.outbox import RetryPolicy
from heliograph.sandbox.service import Act, Hub, text
from heliograph.sandbox.wire import SECOND, Json, Request, Response, Upload

_SIGN_IN = b"<!doctype html><title>Slack</title><h1>Sign in to your workspace</h1>"


class Slack(DirectService):
    """Workspaces with one app and people who write to it directly; channels are made by a test (`add_channel`)."""

    name: ClassVar[str] = "slack"
    title: ClassVar[str] = "Slack"
    #: "Nearly immediately, after 1 minute, after 5 minutes"; three seconds for an answer (Slack's guide to the Events API).
    retries: ClassVar[RetryPolicy] = RetryPolicy((1.0, 60.0, 300.0), frozenset(), 3.0)

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._last = 0

    # --- who calls --------------------------------------------------------------------------------

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """The bot's token. The address of an upload needs none, for it is unguessable; that of a file shows a page for signing in."""
        if "upload" in args:
            return next((each for each in self.accounts.values() if args["upload"] in each.more["uploads"]), None) or self.nowhere()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account = next((each for each in self.accounts.values() if each.token == token), None)
        if scheme != "Bearer" or account is None or account.revoked:
            if "file" in args:
                return Response(200, _SIGN_IN, {"content-type": "text/html; charset=utf-8"})
            return problem("not_authed" if not token else "token_revoked" if account else "invalid_auth")
        # Files and uploads have addresses, and nobody but a caller tells what ours is.
        account.more["base"] = f"{request.origin}/{self.name}"
        return account

    def refuse(self, fault: Fault) -> Response:
        """By name, mostly in an answer of 200; `code` 200 makes that of an internal error one, too."""
        match fault.mode:
            case Mode.REVOKED:
                return problem("token_revoked", fault.code or 200)
            case Mode.NOT_PERMITTED:
                return problem("missing_scope", fault.code or 200, needed="chat:write", provided="im:history")
            case Mode.RATE_LIMITED:
                return problem("ratelimited", fault.code or 429)
            case _:
                return problem("internal_error", code_of(fault))

    def nowhere(self) -> Response:
        """A method that there is not."""
        return problem("unknown_method")

    # --- methods ----------------------------------------------------------------------------------

    def _auth_test(self, call: Call) -> Response:
        name = call.account.name
        return done(url="https://sandbox.slack.com/", team=name, user="desk", team_id=TEAM, user_id=BOT_USER, bot_id=BOT)

    def _user_info(self, call: Call) -> Response:
        wanted = str(arguments(call.request).get("user") or "")
        place = next((each for each in call.account.conversations.values() if each.more["user"] == wanted), None)
        if place is None:
            raise refused("user_not_found")
        profile = {"real_name": place.name, "display_name": place.name.partition(" ")[0], "team": TEAM}
        return done(user={
            "id": wanted, "team_id": TEAM, "name": place.name.lower().replace(" ", "."), "real_name": place.name, "deleted": False,
            "is_bot": False, "profile": profile,
        })  # fmt: skip

    def _post_message(self, call: Call) -> Response:
        given = arguments(call.request)
        place = place_of(call.account, given)
        raw, metadata = given.get("text"), packed(given, "metadata")
        if not isinstance(raw, str) or not raw.strip():
            raise refused("no_text")
        if metadata is not None and not (isinstance(metadata, dict) and metadata.get("event_type") and "event_payload" in metadata):
            raise refused("invalid_metadata_format")
        if place.blocked:
            raise refused("user_disabled")
        post = self.new_post("text", mine=False, text=plain(raw[:TEXT_LIMIT]))
        post.more = {"text": raw[:TEXT_LIMIT], "thread": thread_of(place, given), "metadata": metadata}
        self.take(call, place, post, key=str((metadata or {}).get("event_payload", {}).get("key", "")))
        return done(channel=place.id, ts=post.id, message=message_json(call.account, post, metadata=True))

    def _list(self, call: Call, posts: Callable[[Conversation, Json], list[Post]], *, newest_first: bool) -> Response:
        given, account = arguments(call.request), call.account
        place = account.conversations.get(str(given.get("channel") or ""))
        if place is None:
            raise refused("channel_not_found")
        oldest, latest = moment(given, "oldest", 0.0), moment(given, "latest", float("inf"))
        inclusive = flag(given, "inclusive")
        found = [
            post for post in posts(place, given)
            if oldest < float(post.id) < latest or (inclusive and float(post.id) in (oldest, latest))
        ]  # fmt: skip
        found.sort(key=lambda post: float(post.id), reverse=newest_first)
        start, limit = whole(given, "cursor", 0) if given.get("cursor") else 0, min(max(whole(given, "limit", 100), 1), 999)
        page, more = found[start : start + limit], len(found) > start + limit
        shown = [message_json(account, post, metadata=flag(given, "include_all_metadata")) for post in page]
        return done(messages=shown, has_more=more, response_metadata={"next_cursor": str(start + limit) if more else ""})

    def _history(self, call: Call) -> Response:
        return self._list(call, lambda place, _: [post for post in place.posts if not post.more.get("thread")], newest_first=True)

    def _replies(self, call: Call) -> Response:
        def thread(place: Conversation, given: Json) -> list[Post]:
            wanted = str(given.get("ts") or "")
            found = [post for post in place.posts if wanted in (post.id, post.more.get("thread"))]
            if not found:
                raise refused("thread_not_found")
            return found

        return self._list(call, thread, newest_first=False)

    # Every method may be called by GET and by POST.
    routes: ClassVar = (
        *(
            Route(verb, path, operation, group, handler)
            for path, operation, group, handler in (
                (r"/auth\.test", "authTest", "read", _auth_test),
                (r"/users\.info", "userInfo", "read", _user_info),
                (r"/chat\.postMessage", "postMessage", "send", _post_message),
                (r"/conversations\.history", "history", "read", _history),
                (r"/conversations\.replies", "replies", "read", _replies),
                (r"/files\.getUploadURLExternal", "getUploadURL", "media", slack_files.address),
                (r"/files\.completeUploadExternal", "completeUpload", "send", slack_files.share),
            )
            for verb in ("POST", "GET")
        ),
        Route("POST", r"/upload/v1/(?P<upload>\w+)", "upload", "media", slack_files.upload),
        Route("GET", rf"/files-pri/{TEAM}-(?P<file>\w+)/(?:download/)?file", "download", "read", slack_files.download),
    )

    # --- events -----------------------------------------------------------------------------------

    def set_webhook(self, account: Account, url: str) -> None:
        """A new address is asked first whether it is the app's."""
        super().set_webhook(account, url)
        if url:
            question = {"type": "url_verification", "challenge": self.hub.ids.hex_token(32), "token": "sandbox"}
            self.tell(account, "url_verification", question)

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """Signed as of now, so that a repetition is fresh again; it says the how manieth it is."""
        call = {name: value for name, value in events[0].items() if name not in ("id", "made")}
        body = json.dumps(call, ensure_ascii=False).encode()
        headers = signed(account.secret, self.hub.now(), body)
        if tries := events[0].get("made", 0):
            headers |= {"x-slack-retry-num": str(tries), "x-slack-retry-reason": "http_error"}
        events[0]["made"] = tries + 1
        return headers, body

    def wrapped(self, inner: Json) -> Json:
        """An event as the Events API sends it."""
        id = f"Ev{self.hub.ids.hex_token(10).upper()}"
        bot = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True, "is_enterprise_install": False}
        return {
            "id": id, "token": "sandbox", "team_id": TEAM, "api_app_id": APP, "type": "event_callback", "event_id": id,
            "event_time": self.hub.now() // SECOND, "event": inner, "authorizations": [bot], "is_ext_shared_channel": False,
        }  # fmt: skip

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """A message of a person."""
        post.more = {"text": escaped(post.text), "user": place.more["user"], **post.more}
        if post.place:
            # Slack knows no places: people paste a link.
            post.text = f"https://maps.google.com/?q={post.place['lat']},{post.place['long']}"
            post.more["text"] = f"<{escaped(post.text)}>"
        return self.wrapped(event(place, message_json(account, post, metadata=True)))

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """An app hears its own messages, with their metadata; nobody tells it what became of them."""
        return self.wrapped(event(place, message_json(account, post, metadata=True))) if level == "sent" else None

    # --- the contact --------------------------------------------------------------------------------

    def new_id(self) -> str:
        """A time, and no two alike."""
        self._last = max(self.hub.now(), self._last + 1)
        return f"{self._last // SECOND}.{self._last % SECOND:06d}"

    def keep(self, account: Account, file: Upload) -> str:
        """F and ten digits."""
        id = f"F{self.hub.ids.hex_token(10).upper()}"
        account.files[id] = file
        return id

    def more_acts(self) -> dict[str, Act]:
        """People answer in threads, correct and delete what they wrote; a channel is archived."""

        def thread(conversation: str, body: Json, request: Request) -> Json:
            post = self.new_post("text", mine=True, text=text(body, "text"))
            post.more["thread"] = text(body, "thread")
            return {"id": self.writes(conversation, post).id}

        def edit(conversation: str, body: Json, request: Request) -> None:
            account, place = self.find(conversation)
            post = self._written(place, text(body, "message"))
            before = message_json(account, post, metadata=False)
            post.text = text(body, "text")
            post.more |= {"text": escaped(post.text), "edited": self.new_id()}
            self._changed(account, place, "message_changed", message=message_json(account, post, metadata=False), previous_message=before)

        def delete(conversation: str, body: Json, request: Request) -> None:
            account, place = self.find(conversation)
            post = self._written(place, text(body, "message"))
            place.posts.remove(post)
            before = message_json(account, post, metadata=False)
            self._changed(account, place, "message_deleted", deleted_ts=post.id, previous_message=before)

        def archive(conversation: str, body: Json, request: Request) -> None:
            account, place = self.find(conversation)
            place.more["archived"] = True
            inner = {"type": "channel_archive", "channel": place.id, "user": place.more["user"], "event_ts": self.new_id()}
            self.tell(account, "channel_archive", self.wrapped(inner))
            self.hub.changed()

        return {"thread": thread, "edit": edit, "delete": delete, "archive": archive}

    def _written(self, place: Conversation, id: str) -> Post:
        post = next((each for each in place.posts if each.id == id and each.mine), None)
        if post is None:
            raise LookupError("no such message of the contact")
        return post

    def _changed(self, account: Account, place: Conversation, subtype: str, **more: Any) -> None:
        inner = event(place, {"type": "message", "subtype": subtype, "hidden": True, "ts": self.new_id()}, **more)
        self.tell(account, subtype, self.wrapped(inner))
        self.hub.changed()

    def add_channel(self, account: Account, name: str) -> Conversation:
        """A channel that the bot is in; the one contact who writes there is a person of that name."""
        place = Conversation(f"C{self.hub.ids.hex_token(10).upper()}", name, more={"user": f"U{self.hub.ids.hex_token(10).upper()}"})
        account.conversations[place.id] = place
        return place

    def seed(self, contact: str) -> tuple[Account, Json]:
        """A workspace with the app in it, and a person who writes to it directly."""
        ids = self.hub.ids
        token = f"xoxb-{ids.number(10**11, 10**12)}-{ids.hex_token(24)}"
        account = Account(f"{TEAM}{len(self.accounts)}", "Demo desk", f"slack-{ids.hex_token(6)}", token, ids.hex_token(32))
        account.more = {"uploads": {}, "stored": {}, "base": "https://slack.com"}
        place = Conversation(f"D{ids.hex_token(10).upper()}", contact, more={"user": f"U{ids.hex_token(10).upper()}"})
        account.conversations[place.id] = place
        return account, {"bot_token": token}
