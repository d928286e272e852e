"""What the ending of a file's name says."""

import pytest

from heliograph.providers import endings


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("Rechnung März.PDF", "application/pdf"),
        ("a.b.jpeg", "image/jpeg"),
        ("voice.m4a", "audio/mp4"),
        (".csv", "text/csv"),
        ("pdf", None),
        ("a.pdf.exe", None),
        ("a.", None),
        ("", None),
    ],
)
def test_only_an_ending_tells_a_type(name: str, media_type: str | None) -> None:
    assert endings.media_type(name) == media_type
