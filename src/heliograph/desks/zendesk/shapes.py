"""What we say to Zendesk, in its shapes and within its limits: manifest, resources, and what its answers mean."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from heliograph.desks.zendesk import limits
from heliograph.desks.zendesk.calls import word
from heliograph.ports.desk import Endpoints, Item, Taken, Took

#: Of the service; globally unique among all integrations.
ID = "heliograph"
VERSION = "1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A message must not be empty: what stands where a comment has files only.
NOTHING_SAID = "…"
DONE = frozenset({"success", "already_imported"})


def manifest(endpoints: Endpoints, *, client: str) -> dict[str, Any]:
    """The service's own description. Files of replies are fetched with the token that only a client brings."""
    return {
        "name": "Heliograph",
        "id": ID,
        "author": "Heliograph",
        "version": VERSION,
        **({"push_client_id": client} if client else {}),
        "channelback_files": bool(client),
        "create_followup_tickets": True,
        "urls": {
            "admin_ui": endpoints.admin,
            "pull_url": endpoints.pull,
            "channelback_url": endpoints.reply,
            "clickthrough_url": endpoints.click,
            "healthcheck_url": endpoints.health,
            "event_callback_url": endpoints.events,
        },
    }


def resource(item: Item) -> dict[str, Any]:
    """An external resource."""
    made: dict[str, Any] = {
        "external_id": item.id,
        "message": limits.cut(item.text, limits.MESSAGE) if item.text.strip() else NOTHING_SAID,
        "thread_id": item.thread,
        "created_at": moment(item.at),
        "author": {"external_id": item.author, "name": limits.cut(item.author_name.strip() or "–", limits.AUTHOR_NAME)},
    }
    if item.internal:
        made["internal_note"] = True
    else:
        made["allow_channelback"] = True
    files = [url for url in item.files if len(url) <= limits.FILE_URL][: limits.FILE_URLS]
    if files:
        made["file_urls"] = files
    return made


def offer(items: Sequence[Item], state: str) -> dict[str, Any]:
    """The answer to a pull."""
    return {"external_resources": [resource(item) for item in items[: limits.RESOURCES]], "state": state}


def kept(link: str, secret: str) -> str:
    """The metadata of an integration account."""
    return msgspec.json.encode({"link": link, "secret": secret}).decode()


def moment(at: int) -> str:
    """ISO 8601 in UTC."""
    return (EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def taken(items: Sequence[Item], body: bytes) -> list[Taken] | None:
    """What became of each item, in their order; None where the answer is none."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    results = answer.get("results") if isinstance(answer, Mapping) else None
    if not isinstance(results, list):
        return None
    told = [result for result in results if isinstance(result, Mapping)]
    by_id = {result.get("external_resource_id"): result for result in told if isinstance(result.get("external_resource_id"), str)}
    # An item that the answer leaves out was not looked at, as far as anybody knows; again is safe.
    return [_taken(item.id, by_id.get(item.id)) for item in items]


def _taken(id: str, result: Mapping[Any, Any] | None) -> Taken:
    outcome = result.get("status") if result is not None else None
    code = word(outcome.get("code")) if isinstance(outcome, Mapping) else ""
    if code in DONE:
        return Taken(id, Took.DONE, code)
    return Taken(id, Took.HALTED, code) if code in ("halted", "") else Taken(id, Took.FAILED, code)
