"""The status page shows the status, and escapes all content."""

from dataclasses import replace
from html.parser import HTMLParser

from answerback import __version__
from answerback.supervisor.status import State, Status
from answerback.web.page import Markup, page, tag
from tests.web.conftest import START


class Text(HTMLParser):
    """The text of a page, and what it would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in {"href", "src", "srcset", "action"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_status_page_shows_version_revision_listeners_and_workers(status: Status) -> None:
    words = Text(page(status, START)).words
    for expected in (
        "serving",
        f"Version {__version__}, configuration revision 7, up since 2026-01-02 03:04:05 UTC.",
        *("hello", "127.0.0.1:8000", "callback", "1,234,567", "89", "2,000,000", "12", "4711", "none"),
    ):
        assert expected in words


def test_status_page_shows_the_reason_of_not_serving(status: Status) -> None:
    status = replace(status, state=State.NOT_SERVING, reason="worker 1 died five times within a minute")
    assert "not serving: worker 1 died five times within a minute" in Text(page(status, START)).words


def test_status_page_fetches_nothing_and_links_only_to_its_own_paths(status: Status) -> None:
    html = page(status, START)
    text = Text(html)
    assert text.links == ["/metrics", "/readyz", "/healthz"]
    assert not {"script", "img", "link", "iframe"} & set(text.tags)
    assert "url(" not in html
    assert "@import" not in html


def test_status_page_escapes_names(status: Status) -> None:
    odd = "</td><script>alert('1')</script>&amp;"
    status = replace(status, listeners=[replace(status.listeners[0], name=odd)], reason=odd)
    text = Text(page(status, START))
    assert "script" not in text.tags
    assert odd in text.words


def test_status_page_supports_light_and_dark_schemes(status: Status) -> None:
    assert "color-scheme: light dark" in page(status, START)


def test_tag_escapes_content_and_attributes_except_markup() -> None:
    assert tag("p", "a < b", Markup("<br>"), title='"') == '<p title="&quot;">a &lt; b<br></p>'
    assert tag("td", class_="number") == '<td class="number"></td>'
