"""The page shows what there is, and nothing that is shown becomes markup."""

from html.parser import HTMLParser

from answerback.web.page import Markup, page, tag
from tests.web.conftest import FakeListener, FakeOverview, FakeWorker


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


def test_the_page_says_what_this_is_and_how_it_is_doing(overview: FakeOverview) -> None:
    text = " ".join(Text(page(overview)).words)
    for expected in (
        "Answerback",
        "serving",
        "Version 1.2.3, configuration revision 7, up since 2026-01-02 03:04:05 UTC",
    ):
        assert expected in text
    for cell in ("hello", "127.0.0.1:8000", "callback", "1,234,567", "89", "2,000,000", "4711", "none"):
        assert cell in Text(page(overview)).words


def test_the_page_says_why_it_is_not_serving(overview: FakeOverview) -> None:
    overview.state, overview.reason = "not serving", "worker 1 died five times within a minute"
    assert "not serving: worker 1 died five times within a minute" in Text(page(overview)).words


def test_the_page_fetches_nothing_and_links_only_to_what_is_here(overview: FakeOverview) -> None:
    text = Text(page(overview))
    assert text.links == ["/metrics", "/readyz", "/healthz"]
    assert not {"script", "img", "link", "iframe"} & set(text.tags)
    assert "url(" not in page(overview)
    assert "@import" not in page(overview)


def test_names_cannot_become_markup(overview: FakeOverview) -> None:
    odd = "</td><script>alert('1')</script>&amp;"
    overview.listeners = [FakeListener(name=odd)]
    overview.workers = [FakeWorker(0)]
    text = Text(page(overview))
    assert "script" not in text.tags
    assert odd in text.words


def test_the_page_suits_light_and_dark(overview: FakeOverview) -> None:
    assert "color-scheme: light dark" in page(overview)


def test_a_tag_escapes_content_and_attributes_but_markup() -> None:
    assert tag("p", "a < b", Markup("<br>"), title='"') == '<p title="&quot;">a &lt; b<br></p>'
    assert tag("td", class_="number") == '<td class="number"></td>'
