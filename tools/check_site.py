"""Check that a built site fetches nothing from elsewhere: no script, style, font, image or frame but its own.

python tools/check_site.py FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

FETCHED = {"script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset")}
LINKS = ("stylesheet", "preconnect", "preload", "icon", "dns-prefetch", "modulepreload")


class Page(HTMLParser):
    """Collects the addresses that a browser fetches when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what this element loads."""
        held = dict(attrs)
        names: tuple[str, ...] = FETCHED.get(tag, ())
        if tag == "link" and set(LINKS) & set((held.get("rel") or "").split()):
            names = ("href",)
        self.fetched += [held[name] or "" for name in names if name in held]


def main(folder: Path) -> int:
    """Return 1 where something of another host is named."""
    pages = sorted(folder.rglob("*.html"))
    if not pages:
        raise SystemExit(f"{folder}: no pages")
    foreign = []
    for path in pages:
        page = Page()
        page.feed(path.read_text())
        foreign += [f"{path}: {address}" for address in page.fetched if re.match(r"(https?:)?//", address)]
    for path in sorted(folder.rglob("*.css")):
        foreign += [
            f"{path}: {found}"
            for found in re.findall(r"(?:@import|url\()\s*['\"]?((?:https?:)?//[^'\")]+)", path.read_text())
        ]
    print("\n".join(foreign), file=sys.stderr, end="\n" if foreign else "")
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
