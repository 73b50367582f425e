"""The docker and docker-compose programs, as far as these tests need them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE = Path(sys.executable).parent / "docker-compose"


def docker(*arguments: str) -> str:
    """What `docker ARGUMENTS` prints; raises AssertionError with what it complained of."""
    return _run(["docker", *arguments])


def compose(*arguments: str, env: dict[str, str]) -> str:
    """What `docker compose ARGUMENTS` prints, for the project's own file."""
    return _run([str(COMPOSE), "--file", str(COMPOSE_FILE), *arguments], env)


def has_image(name: str) -> bool:
    """Whether the engine has this image already."""
    return bool(docker("image", "ls", "--quiet", name).strip())


def inspect(container: str) -> Any:
    """What the engine knows of a container."""
    return json.loads(docker("inspect", container))[0]


def _run(command: list[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
