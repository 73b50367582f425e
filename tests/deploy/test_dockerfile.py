"""The Dockerfile, without an engine: its user and its command. tests/container runs the image."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def instructions(stage: str, name: str) -> list[str]:
    return re.findall(rf"^{name}\s+(.*)$", stage, re.MULTILINE)


def test_image_user_is_numeric_and_unprivileged() -> None:
    """A number, because an orchestrator (`runAsNonRoot`) cannot tell from a name whether it is root."""
    (user,) = instructions(STAGES[-1], "USER")
    match = re.fullmatch(r"(\d+):(\d+)", user)
    assert match, user
    assert "0" not in match.groups()


def test_dockerfile_runs_nothing_after_the_user_is_set() -> None:
    _, _, behind = STAGES[-1].partition("\nUSER ")
    assert not re.search(r"^(RUN|COPY|ADD|USER)\b", behind, re.MULTILINE)


def test_state_directory_of_the_image_is_private_to_its_user() -> None:
    (user,) = instructions(STAGES[-1], "USER")
    owner, group = user.split(":")
    assert f"install -d -o {owner} -g {group} -m 0700 /var/lib/answerback" in STAGES[-1]


def test_dockerfile_sets_entrypoint_stop_signal_and_health_check() -> None:
    assert instructions(STAGES[-1], "ENTRYPOINT") == ['["answerback"]']
    assert instructions(STAGES[-1], "CMD") == ['["serve"]']
    assert instructions(STAGES[-1], "STOPSIGNAL") == ["SIGTERM"]
    (check,) = instructions(STAGES[-1], "HEALTHCHECK")
    assert check.endswith('CMD ["answerback", "health"]')


def test_image_does_not_expose_the_admin_api() -> None:
    assert "ANSWERBACK_ADMIN" not in TEXT
    assert "ANSWERBACK_METRICS=0.0.0.0:9464" in STAGES[-1]


def test_dockerfile_stages_have_the_same_base() -> None:
    assert {stage.split()[0] for stage in STAGES} == {"${BASE}"}


@pytest.mark.parametrize("name", ["ADD", "MAINTAINER"])
def test_dockerfile_installs_only_locked_packages(name: str) -> None:
    assert instructions(TEXT, name) == []
    assert all(
        "--require-hashes" in line or "--no-index" in line
        for line in instructions(TEXT, "RUN")
        if "pip install" in line
    )
