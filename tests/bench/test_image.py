"""bench.image: parsing the output of Docker, and the table."""

import json
import subprocess

import pytest

from bench import image


@pytest.mark.parametrize(
    "usage, mebibytes",
    [("75.04MiB / 512MiB\n", 75.04), ("512KiB / 512MiB", 0.5), ("1.5GiB / 2GiB", 1536.0)],
)
def test_image_memory_usage_is_parsed(usage: str, mebibytes: float) -> None:
    assert image.mebibytes(usage) == mebibytes


def test_image_size_is_counted_over_its_base() -> None:
    sizes = {"ours": 250_000_000, "python:3.13-slim-trixie": 178_000_000}
    assert image.over_base(lambda _, name: json.dumps([{"Size": sizes[name]}]), "ours") == 72_000_000


def test_image_table_is_markdown() -> None:
    assert image.table("ours", 72_100_000, [(1, 0.5149, 61.4), (2, 0.6, 75.04)]) == (
        "ours: 72 MB over its base\n\n"
        "| workers | ready after | memory at rest |\n| --- | --- | --- |\n"
        "| 1 | 0.51 s | 61 MiB |\n| 2 | 0.60 s | 75 MiB |"
    )


def test_interrupted_image_benchmark_removes_its_container() -> None:
    said: list[str] = []

    def docker(*arguments: str) -> str:
        said.append(arguments[0])
        return "abc\n"

    def interrupted() -> None:
        with image.started(docker, "ours", 1) as container:
            assert container == "abc"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert said == ["run", "rm"]


def test_image_figures_print_the_error_of_docker(capsys: pytest.CaptureFixture[str]) -> None:
    def docker(*arguments: str) -> str:
        raise subprocess.CalledProcessError(125, ["docker", *arguments], stderr="No such image: ours\n")

    assert image.main(["ours"], docker) == 1
    assert "No such image: ours" in capsys.readouterr().err
