"""Links between the repository's own pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
#: `docs/` is checked by `make docs`, where the reference's pages exist.
FOLDERS = ("", "data/*/", "experiments/**/", "mov_ai/assets/**/", "studies/**/")
PAGES = sorted({page for folder in FOLDERS for page in CHECKOUT.glob(f"{folder}*.md")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []
