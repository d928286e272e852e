"""The send methods: sendMessage, sendPhoto, sendDocument, sendVideo, sendAudio, sendVoice, sendLocation, sendChatAction."""

import mimetypes

from heliograph.sandbox.telegram.center import DONE, Center, Params, Problem, done
from heliograph.sandbox.telegram.state import Bot, StoredFile
from heliograph.sandbox.wire import SECOND, Json, Response

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
_PHOTO_LIMIT = 10 * 1_048_576
_MARKS = {"Markdown": "*_`", "MarkdownV2": "*_`~|"}


def send_message(center: Center, bot: Bot, params: Params) -> Response:
    """Text of 1 to 4096 characters, after marks are parsed."""
    text = params.text("text").strip()
    if not text:
        raise Problem(400, "Bad Request: message text is empty")
    if len(text) > TEXT_LIMIT:
        raise Problem(400, "Bad Request: message is too long")
    return _finish(center, bot, params, {"text": _parse(params, text)}, text)


def send_location(center: Center, bot: Bot, params: Params) -> Response:
    """A place, in degrees."""
    latitude, longitude = params.degrees("latitude"), params.degrees("longitude")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Problem(400, "Bad Request: wrong latitude/longitude specified")
    place = {"location": {"latitude": latitude, "longitude": longitude}}
    return _finish(center, bot, params, place, f"{latitude},{longitude}")


def send_chat_action(center: Center, bot: Bot, params: Params) -> Response:
    """ "typing..." for five seconds."""
    if not params.given("action"):
        raise Problem(400, "Bad Request: wrong parameter action in request")
    center.chat(bot, params).typing_until = center.now() + 5 * SECOND
    center.changed()
    return DONE


def send_photo(center: Center, bot: Bot, params: Params) -> Response:
    """At most 10 MB."""
    file = _file(center, bot, params, "photo")
    if len(file.data) > _PHOTO_LIMIT:
        raise Problem(400, "Bad Request: file is too big")
    return _finish_file(center, bot, params, "photo", photo_json(file), file)


def send_document(center: Center, bot: Bot, params: Params) -> Response:
    """Any file, at most 50 MB."""
    return _send_file(center, bot, params, "document", {})


def send_video(center: Center, bot: Bot, params: Params) -> Response:
    """A video, at most 50 MB."""
    return _send_file(center, bot, params, "video", {"width": 640, "height": 360, "duration": params.whole("duration", 0)})


def send_audio(center: Center, bot: Bot, params: Params) -> Response:
    """Music, at most 50 MB."""
    return _send_file(center, bot, params, "audio", {"duration": params.whole("duration", 0)})


def send_voice(center: Center, bot: Bot, params: Params) -> Response:
    """A voice note, at most 50 MB."""
    return _send_file(center, bot, params, "voice", {"duration": params.whole("duration", 0)})


def _send_file(center: Center, bot: Bot, params: Params, kind: str, more: Json) -> Response:
    file = _file(center, bot, params, kind)
    return _finish_file(center, bot, params, kind, {**file_json(file), **more}, file)


def _finish_file(center: Center, bot: Bot, params: Params, kind: str, shown: object, file: StoredFile) -> Response:
    caption = params.text("caption")
    if len(caption) > CAPTION_LIMIT:
        raise Problem(400, "Bad Request: message caption is too long")
    content = {kind: shown, **({"caption": _parse(params, caption)} if caption else {})}
    return _finish(center, bot, params, content, caption or file.name)


def _finish(center: Center, bot: Bot, params: Params, content: Json, text: str) -> Response:
    chat = center.chat(bot, params)
    reply = params.packed("reply_parameters")
    wanted = reply.get("message_id") if isinstance(reply, dict) else None
    if wanted is not None:
        quoted = next((m for m in chat.messages if m.id == wanted), None)
        if quoted is None and not reply.get("allow_sending_without_reply"):
            raise Problem(400, "Bad Request: message to be replied not found")
        if quoted:
            content = {**content, "reply_to_message": bot.message_json(chat, quoted)}
    message = center.append(bot, chat, content, from_bot=True)
    center.tally.take(at=message.date, service="telegram", conversation=str(chat.id), message_id=str(message.id), text=text, metadata=None)
    return done(bot.message_json(chat, message))


def _parse(params: Params, text: str) -> str:
    # Marks that do not close are the classic way to lose a reply: the real service refuses them.
    mode = params.text("parse_mode")
    for mark in _MARKS.get(mode, ""):
        if text.count(mark) % 2:
            offset = len(text[: text.rindex(mark)].encode())
            raise Problem(400, f"Bad Request: can't parse entities: Can't find end of the entity starting at byte offset {offset}")
    for mark in _MARKS.get(mode, ""):
        text = text.replace(mark, "")
    return text


def _file(center: Center, bot: Bot, params: Params, kind: str) -> StoredFile:
    given = params.text(kind)
    uploaded = params.files.get(given.removeprefix("attach://") if given.startswith("attach://") else kind)
    if uploaded:
        if not uploaded.data:
            raise Problem(400, "Bad Request: file must be non-empty")
        if len(uploaded.data) > center.upload_limit:
            raise Problem(413, "Request Entity Too Large")
        return center.keep_file(bot, folder=f"{kind}s", name=uploaded.name, media_type=uploaded.media_type, data=uploaded.data)
    if given in bot.files:
        return bot.files[given]
    if given.startswith(("http://", "https://")):
        # The sandbox fetches nothing from elsewhere; it keeps the address as the file's content.
        name = given.rpartition("/")[2] or "file"
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return center.keep_file(bot, folder=f"{kind}s", name=name, media_type=media_type, data=given.encode())
    if not given:
        raise Problem(400, f"Bad Request: there is no {kind} in the request")
    raise Problem(400, "Bad Request: wrong file identifier/HTTP URL specified")


def file_json(file: StoredFile) -> Json:
    """A file as a message shows it."""
    return {
        "file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data), "file_name": file.name,
        "mime_type": file.media_type,
    }  # fmt: skip


def photo_json(file: StoredFile) -> list[Json]:
    """A photo as a message shows it: several sizes, all with the same bytes here."""
    common = {"file_id": file.id, "file_size": len(file.data)}
    return [
        {**common, "file_unique_id": file.id[:15] + "s", "width": 90, "height": 68},
        {**common, "file_unique_id": file.id[:15] + "x", "width": 800, "height": 600},
    ]
