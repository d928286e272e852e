"""How files are shown, by their media type."""

import pytest

from heliograph.domain.content import MediaKind


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("image/png", MediaKind.IMAGE),
        ("image/svg+xml", MediaKind.FILE),
        ("audio/ogg; codecs=opus", MediaKind.AUDIO),
        ("video/mp4", MediaKind.VIDEO),
        ("application/pdf", MediaKind.FILE),
        ("text/plain", MediaKind.FILE),
        ("file/x", MediaKind.FILE),
        ("image", MediaKind.IMAGE),
        ("", MediaKind.FILE),
    ],
)
def test_a_media_type_says_how_a_file_is_shown(media_type: str, kind: MediaKind) -> None:
    assert MediaKind.of(media_type) is kind
