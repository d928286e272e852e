"""Zendesk behind the port of a desk: one call each, and what its answer means."""

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from heliograph.desks.zendesk import calls, limits, shapes
from heliograph.ports import links
from heliograph.ports.desk import Desk, Door, Endpoints, Fault, Fetched, Happening, Item, Taken, Trouble, Visit, Wanted, Written
from heliograph.ports.http import Http, HttpResponse, MaybeSent, NotSent

#: Seconds for a call; a push makes tickets there and may take its time.
TIMEOUT, PUSH_TIMEOUT, FILE_TIMEOUT = 20.0, 60.0, 120.0
#: Zendesk hands files out from another host of its own.
REDIRECTS = 3
MOST_WAIT = 900.0
MEDIA_TYPE = re.compile(r"^[\w!#$&^.+-]{1,60}/[\w!#$&^.+-]{1,60}\Z", re.ASCII)


class ZendeskDesk(Desk):
    """Stateless: who is meant comes with each call.

    `client`: the unique identifier of the OAuth client in whose name Zendesk gives us tokens; without one it only pulls, hands no files
    out and takes no reports. `loopback`: there may be a Zendesk on this machine (a sandbox).
    """

    name = "zendesk"
    title = "Zendesk"
    batch = limits.RESOURCES

    def __init__(self, http: Http, *, client: str = "", loopback: bool = False) -> None:
        self._http = http
        self._client = client
        self._loopback = loopback

    async def push(self, door: Door, items: Sequence[Item], *, request: str) -> list[Taken] | Trouble:
        made = [shapes.resource(item) for item in items]
        body = {"instance_push_id": door.instance, "request_id": request[: limits.REQUEST_ID], "external_resources": made}
        answer = await self._post(door, "push", body, timeout=PUSH_TIMEOUT)
        if isinstance(answer, Trouble):
            return answer
        found = shapes.taken(items, answer.body)
        return Trouble(Fault.DOWN, "unreadable") if found is None else found

    async def report(self, door: Door, item: str, words: str, *, request: str) -> Trouble | None:
        body = {
            "instance_push_id": door.instance, "external_id": item, "description": limits.cut(words, limits.DESCRIPTION),
            "request_id": request[: limits.REQUEST_ID],
        }  # fmt: skip
        answer = await self._post(door, "channelback/report_error", body)
        return answer if isinstance(answer, Trouble) else None

    async def check(self, door: Door) -> Trouble | None:
        answer = await self._post(door, "validate_token", {"instance_push_id": door.instance})
        return answer if isinstance(answer, Trouble) else None

    async def fetch(self, door: Door, url: str, *, limit: int) -> Fetched | Trouble:
        home, here = urlsplit(door.base), url
        first = _split(here)
        if first is None or (first.scheme, first.netloc.lower()) != (home.scheme, home.netloc.lower()):
            return Trouble(Fault.REFUSED, "foreign_file")
        for _ in range(REDIRECTS + 1):
            parts = _split(here)
            if parts is None or parts.scheme not in ("https", home.scheme):
                return Trouble(Fault.REFUSED, "foreign_file")
            ours = (parts.scheme, parts.netloc.lower()) == (home.scheme, home.netloc.lower())
            headers = {"authorization": f"Bearer {door.token}"} if ours else {}
            try:
                answer = await self._http.request("GET", here, headers=headers, timeout=FILE_TIMEOUT, max_bytes=limit)
            except NotSent as failed:
                return Trouble(Fault.DOWN, str(failed))
            except MaybeSent as failed:
                return Trouble(Fault.REFUSED if str(failed) == "too_large" else Fault.DOWN, str(failed))
            if answer.status not in (301, 302, 303, 307, 308):
                return _trouble(answer) or _file(first.path, answer)
            try:
                here = links.join(here, answer.headers.get("location", ""))
            except ValueError:
                return Trouble(Fault.REFUSED, "foreign_file")
        return Trouble(Fault.REFUSED, "redirects")

    async def _post(self, door: Door, path: str, body: Mapping[str, Any], *, timeout: float = TIMEOUT) -> HttpResponse | Trouble:
        headers = {"authorization": f"Bearer {door.token}", "content-type": "application/json", "accept": "application/json"}
        url = f"{door.base}/api/v2/any_channel/{path}"
        try:
            answer = await self._http.request("POST", url, headers=headers, body=msgspec.json.encode(body), timeout=timeout)
        except (NotSent, MaybeSent) as failed:
            # Each of these calls may be repeated: an item has its id, and a report says the same again.
            return Trouble(Fault.DOWN, str(failed))
        return _trouble(answer) or answer

    def written(self, body: bytes) -> Written:
        return calls.written(body)

    def wanted(self, body: bytes) -> Wanted:
        return calls.wanted(body)

    def happenings(self, body: bytes) -> list[Happening]:
        return calls.happenings(body)

    def visit(self, body: bytes) -> Visit:
        return calls.visit(body, loopback=self._loopback, pushes=bool(self._client))

    def offer(self, items: Sequence[Item], state: str) -> Mapping[str, Any]:
        return shapes.offer(items, state)

    def manifest(self, endpoints: Endpoints) -> Mapping[str, Any]:
        return shapes.manifest(endpoints, client=self._client)

    def kept(self, link: str, secret: str) -> str:
        return shapes.kept(link, secret)


def _trouble(answer: HttpResponse) -> Trouble | None:
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return None
    if answer.status in (401, 403):
        return Trouble(Fault.CREDENTIALS, code)
    if answer.status == 429:
        return Trouble(Fault.RATE_LIMITED, code, _seconds(answer.headers.get("retry-after", "")))
    if answer.status in (408, 409, 423, 425) or answer.status >= 500 or answer.status < 400:
        return Trouble(Fault.DOWN, code, _seconds(answer.headers.get("retry-after", "")))
    return Trouble(Fault.REFUSED, code)


def _seconds(text: str) -> float:
    return min(float(text), MOST_WAIT) if text.isascii() and text.isdigit() else 0.0


def _split(url: str) -> Any:
    try:
        parts = links.split(url)
        # Reading the port is what finds a bad one.
        return parts if parts.port != 0 and not parts.username and not parts.password else None
    except ValueError:
        return None


def _file(path: str, answer: HttpResponse) -> Fetched:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    told = Message()
    told["content-disposition"] = answer.headers.get("content-disposition", "")
    # It also takes lone surrogates out, which stand for bytes that are no UTF-8 and which no store takes.
    name = told.get_filename() or unquote(path.rsplit("/", 1)[-1])
    return Fetched(name or "file", kind if MEDIA_TYPE.match(kind) else "application/octet-stream", answer.body)
