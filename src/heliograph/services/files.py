"""Keep a file that somebody attaches: its bytes in the file store first, then its row, so that a row never lacks its bytes."""

from heliograph.domain.content import Media, MediaKind
from heliograph.ports import rows
from heliograph.ports.store import Changes
from heliograph.services.context import Context, Invalid, Missing

#: Largest file that is taken in, bytes. Providers take less; which one refuses is known when the reply is rendered.
LIMIT = 50 * 1_048_576
NAME_LIMIT = 200
#: What a name may not contain: it ends up in headers, paths and other people's programs.
FORBIDDEN = frozenset('/\\:*?"<>|') | {chr(code) for code in (*range(32), 127)}


async def upload(context: Context, account: str, *, name: str, media_type: str, data: bytes, actor: str) -> rows.File:
    """Keep `data` durably and return its row. Raises Invalid, Unavailable."""
    if not data:
        raise Invalid("The file is empty.")
    if len(data) > LIMIT:
        raise Invalid(f"The file is larger than {LIMIT // 1_048_576} MB.")
    file = context.new_id("fil")
    changes = Changes(account, context.clock.now(), actor)
    row = rows.File(account, file, tidy(name), media_type, len(data), file, changes.at)
    await context.files.put(row.key, data)
    changes.puts.append(row)
    await context.store.commit(changes)
    return row


async def read(context: Context, account: str, file: str) -> tuple[rows.File, bytes]:
    """A file with its bytes. Raises Missing."""
    row = await context.store.file(account, file)
    if row is None:
        raise Missing("file")
    try:
        return row, await context.files.get(row.key)
    except KeyError as gone:
        raise Missing("file") from gone


def as_media(file: rows.File, caption: str = "") -> Media:
    """The file as content of a comment."""
    return Media(MediaKind.of(file.media_type), file.name, file.media_type, file.size, file=file.key, caption=caption)


def tidy(name: str) -> str:
    """A file name without folders or characters that mean something elsewhere, its ending kept."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join("_" if char in FORBIDDEN else char for char in last).strip(". ")
    stem, dot, ending = clean.rpartition(".")
    if len(clean) > NAME_LIMIT and dot and len(ending) <= 10:
        clean = f"{stem[: NAME_LIMIT - len(ending) - 1]}.{ending}"
    return clean[:NAME_LIMIT] or "file"
