"""A simulated WhatsApp Cloud API: what it answers to calls, and how a contact's phone behaves.

Source: Meta's reference of the Cloud API (messages, media, templates, phone numbers) and of its error codes.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import ClassVar

from heliograph.sandbox.direct import whatsapp_events as events, whatsapp_templates as templates
from heliograph.sandbox.direct.meta_platform import MetaService, signed
from heliograph.sandbox.direct.service import DAY, Call, Route, seconds, served
from heliograph.sandbox.direct.state import Account, Conversation, Post
from heliograph.sandbox.direct.whatsapp_messages import Reader, kinds_of_files, most_bytes, problem
from heliograph.sandbox.faults import Fault, Mode, code_of
from heliograph.sandbox.outbox import RetryPolicy
from heliograph.sandbox.service import Act, flag, text
from heliograph.sandbox.wire import SECOND, Json, Request, Response, Upload, answer

#: A file's address is good for five minutes.
FILE_ADDRESS_LIFE = 300
#: An answer's `error_code`, where a fault names one of Meta's own.
_CODE = re.compile(r"[0-9]{1,7}")
_VERSION = r"(?:/v[0-9]{1,2}\.[0-9])?"
#: What a failed status says, by code.
_TITLES = {
    131026: ("Message undeliverable", "Message Undeliverable."),
    131047: ("Re-engagement message", "Message failed to send because more than 24 hours have passed since the customer last replied."),
}


class WhatsApp(MetaService):
    """Business phone numbers. An account's id is the phone number id; `more` has "number", "waba" and "templates".

    A place's id is the contact's number, and "user:" and the business-scoped id once the contact hides it. Its `more` has both.
    """

    name = "whatsapp"
    title = "WhatsApp"
    #: Tried again for up to seven days, less and less often.
    retries: ClassVar[RetryPolicy] = RetryPolicy((1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, *(21_600.0,) * 27), frozenset(), 20.0)

    # --- who calls, and what it is told when something is wrong ---------------------------------------

    def authenticate(self, request: Request, args: Mapping[str, str]) -> Account | Response:
        """By the access token, in the header or the query."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip() or request.query.get("access_token", "")
        if not given:
            return problem(104, "An access token is required to request this resource.", number=401).response
        for account in self.accounts.values():
            if account.token == given:
                if account.revoked:
                    told = "Error validating access token: The session has been invalidated because the user changed their password."
                    return problem(190, told, subcode=460, number=401).response
                return account
        return problem(190, "Invalid OAuth access token - Cannot parse access token", number=401).response

    def refuse(self, fault: Fault) -> Response:
        """`error_code` of the fault may name one of Meta's own codes."""
        number = code_of(fault)
        if _CODE.fullmatch(fault.error_code):
            return problem(int(fault.error_code), fault.error_message, number=fault.code or 400).response
        match fault.mode:
            case Mode.REVOKED:
                return problem(190, "Error validating access token: Session has expired.", subcode=463, number=number).response
            case Mode.NOT_PERMITTED if number == 402:
                return problem(131042, "Business eligibility payment issue", number=400).response
            case Mode.NOT_PERMITTED:
                return problem(131031, "Business Account locked", number=number).response
            case Mode.RATE_LIMITED:
                return problem(130429, "Rate limit hit", "Cloud API message throughput has been reached.", number=number).response
            case _ if number == 503:
                return problem(131016, "Service unavailable", number=number).response
            case _:
                return problem(131000, "Something went wrong", number=number).response

    def nowhere(self) -> Response:
        """As the Graph API answers to what it does not have."""
        return problem(2500, "Unknown path components").response

    def _own(self, call: Call, given: str, wanted: str) -> None:
        if given != wanted:
            verb = call.request.method.lower()
            raise problem(100, f"Unsupported {verb} request. Object with ID '{given}' does not exist", subcode=33)

    # --- calls --------------------------------------------------------------------------------------

    def send(self, call: Call) -> Response:
        """POST /{phone number id}/messages: a message, or that one was read."""
        self._own(call, call.args["phone"], call.account.id)
        reader = Reader(call.account, _json(call.request))
        if reader.body.get("messaging_product") != "whatsapp":
            raise problem(100, "(#100) The parameter messaging_product is required.")
        if reader.body.get("status") == "read":
            return self._heard(call.account, reader)
        to, place = self._place(call.account, reader)
        kind, said = reader.kind_and_text()
        post = self.new_post(kind, mine=False, text=said)
        reader.fill(post)
        key = reader.body.get("biz_opaque_callback_data", "")
        if not isinstance(key, str) or len(key) > 512:
            raise problem(131009, "Parameter value is not valid", "biz_opaque_callback_data is longer than 512 characters")
        post.more["key"] = key
        if call.receipt is None:
            call.receipt = self._late_refusal(place, post)
        self.take(call, place or Conversation(f"user:{to['recipient']}" if "recipient" in to else to["to"], ""), post, key=key)
        contact: Json = {"input": to.get("to") or to["recipient"]}
        if "to" in to:
            contact["wa_id"] = to["to"].lstrip("+")
        if place is not None:
            contact["user_id"] = place.more["user"]
        told = [{"id": post.id, "message_status": "accepted"} if post.kind == "template" else {"id": post.id}]
        return answer(200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": told})

    def _place(self, account: Account, reader: Reader) -> tuple[dict[str, str], Conversation | None]:
        """To whom: the fields that said so, and the contact, if WhatsApp knows one."""
        to = reader.recipient()
        for place in account.conversations.values():
            if to.get("recipient") == place.more["user"] or to.get("to", "").lstrip("+") == place.more["number"]:
                return to, place
        return to, None

    def _late_refusal(self, place: Conversation | None, post: Post) -> Fault | None:
        """What is taken all the same, and refused by a status later: nobody there, or the window closed."""
        if place is None:
            return _refusal(131026)
        return _refusal(131047) if self.silent(place, self.window(place)) and post.kind != "template" else None

    def window(self, place: Conversation) -> int:
        """See DirectService."""
        return DAY

    def _heard(self, account: Account, reader: Reader) -> Response:
        """The business has read a message of the contact's, and may be typing."""
        wanted = reader.body.get("message_id")
        place = next((p for p in account.conversations.values() if any(post.id == wanted and post.mine for post in p.posts)), None)
        if place is None:
            raise problem(131009, "Parameter value is not valid", "Message ID is invalid or is of a message that was not received")
        if "typing_indicator" in reader.body:
            place.typing_until = self.hub.now() + 25 * SECOND
            self.hub.changed()
        return answer(200, {"success": True})

    def upload(self, call: Call) -> Response:
        """POST /{phone number id}/media, as multipart/form-data."""
        self._own(call, call.args["phone"], call.account.id)
        file = next((each for each in call.request.files if each.field == "file"), None)
        if call.request.form.get("messaging_product") != "whatsapp":
            raise problem(100, "(#100) The parameter messaging_product is required.")
        if file is None:
            raise problem(100, "(#100) The parameter file is required.")
        given = (call.request.form.get("type") or file.media_type).partition(";")[0].strip()
        if given not in kinds_of_files():
            raise problem(100, f"(#100) Param file must be a file with one of the following types: {', '.join(sorted(kinds_of_files()))}.")
        if not file.data or len(file.data) > most_bytes(given):
            raise problem(131053, "Media upload error", f"The file is empty or larger than {most_bytes(given)} bytes")
        return answer(200, {"id": self.keep(call.account, Upload(file.field, file.name, given, file.data))})

    def node(self, call: Call) -> Response:
        """GET /{id}: the phone number, a file or a template."""
        id, account = call.args["id"], call.account
        if id == account.id:
            return answer(200, _chosen(self._number(account), call.request.query.get("fields", "")))
        if id in account.files:
            file = account.files[id]
            expires = seconds(self.hub.now()) + FILE_ADDRESS_LIFE
            url = f"{call.request.origin}/{self.name}/download/{id}?ext={expires}&hash={_digest(account, id, expires)}"
            told = {"url": url, "mime_type": file.media_type, "sha256": hashlib.sha256(file.data).hexdigest(), "file_size": len(file.data)}
            return answer(200, {"messaging_product": "whatsapp", **told, "id": id})
        for template in account.more["templates"]:
            if template["id"] == id:
                return answer(200, template)
        self._own(call, id, account.id)
        return self.nowhere()

    def _number(self, account: Account) -> Json:
        return {
            "id": account.id, "verified_name": account.name, "display_phone_number": f"+{account.more['number']}",
            "quality_rating": "GREEN", "code_verification_status": "VERIFIED", "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"}, "name_status": "APPROVED", "account_mode": "LIVE", "status": "CONNECTED",
        }  # fmt: skip

    def delete(self, call: Call) -> Response:
        """DELETE /{media id}."""
        if call.account.files.pop(call.args["id"], None) is None:
            self._own(call, call.args["id"], call.account.id)
            raise problem(100, "(#100) A phone number cannot be deleted like this.")
        return answer(200, {"success": True})

    def download(self, call: Call) -> Response:
        """A file's own address: wants the token too, and expires."""
        id, expires = call.args["file"], call.request.query.get("ext", "")
        good = expires.isdecimal() and hmac.compare_digest(call.request.query.get("hash", ""), _digest(call.account, id, int(expires)))
        if id not in call.account.files or not good or int(expires) < seconds(self.hub.now()):
            return Response(404, b"Not found", {"content-type": "text/plain"})
        return served(call.account.files[id])

    def list_templates(self, call: Call) -> Response:
        """GET /{account id}/message_templates, by pages."""
        self._own(call, call.args["waba"], call.account.more["waba"])
        return answer(200, templates.page(call.account.more["templates"], call.request, f"{call.request.origin}{call.request.path}"))

    routes: ClassVar = (
        Route("POST", _VERSION + r"/(?P<phone>[0-9]+)/messages", "messages", "send", send),
        Route("POST", _VERSION + r"/(?P<phone>[0-9]+)/media", "upload", "media", upload),
        Route("GET", _VERSION + r"/(?P<waba>[0-9]+)/message_templates", "message_templates", "read", list_templates),
        Route("GET", r"/download/(?P<file>[0-9]+)", "download", "media", download),
        Route("GET", _VERSION + r"/(?P<id>[^/]+)/?", "node", "read", node),
        Route("DELETE", _VERSION + r"/(?P<id>[^/]+)/?", "delete", "admin", delete),
    )

    # --- webhooks -----------------------------------------------------------------------------------

    def pack(self, account: Account, events: list[Json]) -> tuple[dict[str, str], bytes]:
        """Changes of the WhatsApp Business Account, signed with the app secret."""
        changes = [{"value": event["value"], "field": event["field"]} for event in events]
        call = {"object": "whatsapp_business_account", "entry": [{"id": account.more["waba"], "changes": changes}]}
        body = json.dumps(call, separators=(",", ":")).encode()
        return signed(account.secret, body), body

    def told(self, account: Account, place: Conversation, post: Post) -> Json:
        """See DirectService."""
        return events.message(account, place, post)

    def receipt(self, account: Account, place: Conversation, post: Post, level: str, fault: Fault | None) -> Json | None:
        """See DirectService. A code of the fault that is no number of Meta's becomes "undeliverable"."""
        error: Json | None = None
        if fault is not None:
            code = int(fault.error_code) if _CODE.fullmatch(fault.error_code) else 131026
            title, details = _TITLES.get(code, (fault.error_message, fault.error_message))
            error = {"code": code, "title": title, "message": title, "error_data": {"details": details}}
        return events.receipt(account, place, post, level, seconds(self.hub.now()), error)

    def new_id(self) -> str:
        """As WhatsApp makes them: "wamid." and something in base64."""
        return f"wamid.{base64.b64encode(self.hub.ids.object_id().encode()).decode()}"

    def keep(self, account: Account, file: Upload) -> str:
        """See DirectService: ids of files are numbers."""
        id = str(self.hub.ids.number(10**14, 10**15))
        account.files[id] = file
        return id

    # --- the contact ----------------------------------------------------------------------------------

    def seed(self, contact: str) -> tuple[Account, Json]:
        """A number with its templates, and a contact who has just written (the window is open)."""
        ids = self.hub.ids
        phone, waba = (str(ids.number(10**14, 10**15)) for _ in range(2))
        account = Account(phone, "Demo shop", f"whatsapp-{phone}", f"EAA{ids.token(60)}", ids.hex_token(32))
        account.more = {"number": f"1555{ids.number(10**6, 10**7)}", "waba": waba, "templates": templates.seeded(ids)}
        account.more["verify_token"] = ids.token(20)
        number = f"4915{ids.number(10**8, 10**9)}"
        place = Conversation(number, contact, heard=self.hub.now())
        place.more = {"number": number, "user": f"DE.{ids.number(10**16, 10**17)}", "hidden": False}
        account.conversations[number] = place
        return account, {"phone_number_id": phone, "waba_id": waba, "token": account.token, "verify_token": account.more["verify_token"]}

    def more_acts(self) -> dict[str, Act]:
        """Also: react, press a button, move to another number, hide the number."""
        return {
            "react": lambda place, body, _: self._writes(place, "reaction", {"message_id": text(body, "id"), "emoji": text(body, "emoji")}),
            "choose": lambda place, body, _: self._writes(
                place, "interactive", {"type": "button_reply", "button_reply": {"id": text(body, "id"), "title": text(body, "title")}}
            ),
            "change_number": lambda place, body, _: self._changes_number(place, text(body, "number")),
            "hide_number": lambda place, body, _: self._hides(place, hidden=flag(body, "hidden")),
        }

    def _writes(self, conversation: str, kind: str, content: Json) -> Json:
        shown = str(content.get("emoji") or content.get("button_reply", {}).get("title", ""))
        return {"id": self.writes(conversation, self.new_post(kind, mine=True, text=shown, more={"content": content})).id}

    def _changes_number(self, conversation: str, number: str) -> None:
        """A new number comes with a new business-scoped id."""
        account, place = self.find(conversation)
        if not number.isdecimal() or number in account.conversations:
            raise ValueError("number must be digits, and nobody else's")
        user = f"DE.{self.hub.ids.number(10**16, 10**17)}"
        self.tell(account, "system", events.moved(account, place, number, user, self.new_id(), seconds(self.hub.now())))
        del account.conversations[place.id]
        place.more |= {"number": number, "user": user}
        self._named(account, place)

    def _hides(self, conversation: str, *, hidden: bool) -> None:
        """The contact takes a username, or gives it up: with one, businesses see no number."""
        account, place = self.find(conversation)
        del account.conversations[place.id]
        place.more["hidden"] = hidden
        self._named(account, place)

    def _named(self, account: Account, place: Conversation) -> None:
        place.id = f"user:{place.more['user']}" if place.more["hidden"] else place.more["number"]
        account.conversations[place.id] = place
        self.hub.changed()


def _refusal(code: int) -> Fault:
    return Fault("whatsapp", Mode.RECEIPT_FAILURE, error_code=str(code))


def _json(request: Request) -> Json:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise problem(100, "(#100) The parameter messaging_product is required.")
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise problem(100, "(#100) Invalid parameter", "The body is no JSON object")
    return body


def _digest(account: Account, id: str, expires: int) -> str:
    return hmac.new(account.token.encode(), f"{id}:{expires}".encode(), hashlib.sha256).hexdigest()[:24]


def _chosen(node: Json, fields: str) -> Json:
    """The fields that were asked for; some of them without a question. One that it has not is simply not there."""
    asked = [each.strip() for each in fields.split(",") if each.strip()]
    default = ("verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput")
    return {name: value for name, value in node.items() if name == "id" or name in (asked or default)}
