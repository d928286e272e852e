"""How much of everything Zendesk takes; where its pages and its schema disagree, the smaller number."""

#: Resources of one push or pull (any_channel schema, `external_resources`).
RESOURCES = 256
MESSAGE = 65_535
EXTERNAL_ID = 255
AUTHOR_NAME = 255
#: The page says 10, the schema 64.
FILE_URLS = 10
FILE_URL = 511
#: `report_error.description`.
DESCRIPTION = 511
REQUEST_ID = 64
STATE = 5_000
METADATA = 5_000
INSTANCE = 255


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; that something is missing is seen."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
