"""The simulated Slack's three steps by which a file is shared, and its download."""

from typing import Any

from heliograph.sandbox.direct.service import Call, DirectService, kind_of, served
from heliograph.sandbox.direct.slack_messages import arguments, done, packed, place_of, plain, refused, thread_of, whole
from heliograph.sandbox.wire import Json, Response, Upload

#: What stands before our id in the id of a block.
BLOCK = "heliograph:"
BLOCK_LIMIT, ID_LIMIT = 3000, 255

#: Media types by the end of a name; Slack looks into the file, which here nobody does.
TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "mp3": "audio/mpeg", "mp4": "video/mp4", "pdf": "application/pdf"}


def address(service: DirectService, call: Call) -> Response:
    """Step one: where the bytes go."""
    given = arguments(call.request)
    length = whole(given, "length", 0)
    if not given.get("filename") or length <= 0:
        raise refused("missing_argument")
    upload, file = service.hub.ids.hex_token(40), f"F{service.hub.ids.hex_token(10).upper()}"
    call.account.more["uploads"][upload] = {"file": file, "name": str(given["filename"]), "length": length}
    return done(upload_url=f"{call.account.more['base']}/upload/v1/{upload}", file_id=file)


def upload(service: DirectService, call: Call) -> Response:
    """Step two: the bytes, which nobody sees yet."""
    waiting = call.account.more["uploads"][call.args["upload"]]
    data = call.request.files[0].data if call.request.files else call.request.body
    if len(data) != waiting["length"]:
        return Response(400, b"length")
    media_type = TYPES.get(waiting["name"].rpartition(".")[2].lower(), "application/octet-stream")
    kept = Upload("file", waiting["name"], media_type, data)
    call.account.more["stored"][waiting["file"]] = kept
    return Response(200, f"OK - {len(data)}".encode(), {"content-type": "text/plain"})


def share(service: DirectService, call: Call) -> Response:
    """Step three: the files appear in a channel or thread."""
    given, account = arguments(call.request), call.account
    files = packed(given, "files")
    ids = [str(each.get("id")) for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    if not ids:
        raise refused("invalid_arguments")
    if any(id not in account.more["stored"] for id in ids):
        raise refused("file_not_found")
    place = place_of(account, given, "channel_id")
    thread, comment = thread_of(place, given), str(given.get("initial_comment") or "")
    blocks = [] if comment else _blocks(packed(given, "blocks"))
    for id in ids:
        account.files[id] = account.more["stored"].pop(id)
        shown = plain(comment) or "\n".join(block["text"]["text"] for block in blocks)
        post = service.new_post(kind_of(account.files[id].media_type), mine=False, text=shown)
        post.file, post.more = id, {"text": comment, "thread": thread, "blocks": blocks}
        named = [block["block_id"].removeprefix(BLOCK) for block in blocks if block["block_id"].startswith(BLOCK)]
        service.take(call, place, post, key=named[0] if named else "")
        comment, blocks = "", []
    return done(files=[{"id": id, "title": account.files[id].name} for id in ids])


def _blocks(given: Any) -> list[Json]:
    """Sections of text, each with an id. Raises Problem."""
    blocks = given if isinstance(given, list) else []
    for number, block in enumerate(blocks):
        inner = block.get("text") if isinstance(block, dict) and block.get("type") == "section" else None
        if not isinstance(inner, dict) or not isinstance(inner.get("text"), str) or not 0 < len(inner["text"]) <= BLOCK_LIMIT:
            raise refused("invalid_blocks")
        if len(block.setdefault("block_id", f"b{number}")) > ID_LIMIT:
            raise refused("invalid_blocks")
    return blocks


def download(service: DirectService, call: Call) -> Response:
    """A file, for the app."""
    file = call.account.files.get(call.args["file"])
    return served(file) if file is not None else Response(404)
