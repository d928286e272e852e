"""How much of everything Zendesk takes or sends; where its pages and its schemas disagree, the smaller number.

Schemas: any_channel_json_schemas of Zendesk's; pages: its documentation of the Channel Framework.
"""

#: Resources of one push or pull (schema, `external_resources`).
RESOURCES = 256
MESSAGE = 65_535
AUTHOR_NAME = 255
#: The page says 10, the schema 64.
FILE_URLS = 10
FILE_URL = 511
#: `report_error.description`.
DESCRIPTION = 511
REQUEST_ID = 64
INSTANCE = 255
#: Of an integration account, as an admin named it (manifest schema, `name`).
ACCOUNT_NAME = 255

# What neither says, and is bounded here by more than anybody has seen.

#: Fields of a form, and events of one callback.
FIELDS, EVENTS = 200, 1_000
#: Characters of a push token, and of the way back from the admin page.
TOKEN, WAY_BACK = 1_000, 4_000
#: A language tag (RFC 5646, section 4.4.1, names 35 characters as enough for any).
LOCALE = 35
#: Characters that are read of a code; Zendesk's longest known one has 41.
CODE = 48


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; that something is missing is seen."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
