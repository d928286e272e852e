"""What becoming a provider's messages is alike for all comments: an empty one, and a file that is too large, are refused aloud."""

from collections.abc import Callable, Iterable, Sequence

from heliograph.domain.content import Content, Media
from heliograph.ports.provider import Part, Unsupported


def rendered(contents: Sequence[Content], parts: Callable[[Content], Iterable[Part]]) -> list[Part]:
    """One comment as messages, in order, `parts` being those of one content. Raises Unsupported, also where there are none."""
    if found := [part for content in contents for part in parts(content)]:
        return found
    raise Unsupported("there is nothing to send")


def fits(media: Media, limit: int) -> None:
    """Raise Unsupported for a file of more than `limit` bytes."""
    if media.size is not None and media.size > limit:
        raise Unsupported(f"a file of {media.size} bytes is larger than the {limit} that are carried")
