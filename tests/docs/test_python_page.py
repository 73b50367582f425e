"""Every line of the page on the Python client, typed into Python."""

import doctest
from pathlib import Path

from tests.docs.consoles import blocks
from tests.system.conftest import Start

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md"
SERVER = "127.0.0.1:50051"


def test_every_line_of_the_page_does_what_it_shows(start_server: Start) -> None:
    running = start_server()
    text = PAGE.read_text()
    typed = [block for block in blocks(text) if block.words == ("pycon",)]
    assert len(typed) == text.count("```pycon\n") > 5
    session = "\n".join(block.text for block in typed).replace(SERVER, running.admin)
    test = doctest.DocTestParser().get_doctest(session, {}, PAGE.name, str(PAGE), 0)
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
    assert "".join(told) == ""
    assert len(test.examples) > 25
