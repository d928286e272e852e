"""The pages of docs/ that are made from the code are those that the code makes."""

import pytest

from tools.generate import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run: make docs"
