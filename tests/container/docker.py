"""The docker, docker-compose and grpcurl programs, and sockets, for these tests."""

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
BESIDE = Path(sys.executable).parent
COMPOSE = BESIDE / "docker-compose"
GRPCURL = BESIDE / "grpcurl"


def docker(*arguments: str, say: str | None = None) -> str:
    """What `docker ARGUMENTS` prints; raises AssertionError with what it complained of."""
    return _run(["docker", *arguments], say=say)


def refused(*arguments: str, say: str | None = None) -> str:
    """What `docker ARGUMENTS`, which has to fail, says; raises AssertionError if it does not."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, input=say)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def compose(*arguments: str, env: dict[str, str]) -> str:
    """What `docker compose ARGUMENTS` prints, for the project's own file."""
    return _run([str(COMPOSE), "--file", str(COMPOSE_FILE), *arguments], env=env)


def answerback(container: str, *arguments: str, say: str | None = None) -> str:
    """What `answerback ARGUMENTS` prints within the container."""
    return docker("exec", "--interactive", container, "answerback", *arguments, say=say)


def grpcurl(*arguments: str) -> str:
    """What `grpcurl ARGUMENTS` prints, with the services' .proto files at hand."""
    schema = ("-import-path", str(ROOT / "proto"), "-proto", "answerback/v1/config_service.proto")
    return _run([str(GRPCURL), *schema, *arguments])


def has_image(name: str) -> bool:
    """Whether the engine has this image already."""
    return bool(docker("image", "ls", "--quiet", name).strip())


def inspect(container: str) -> Any:
    """What the engine knows of a container."""
    return json.loads(docker("inspect", container))[0]


def published(container: str, port: int = 8000) -> tuple[str, int]:
    """Where on this machine a port of the container is."""
    binding = inspect(container)["NetworkSettings"]["Ports"][f"{port}/tcp"][0]
    return binding["HostIp"], int(binding["HostPort"])


def inside(container: str, port: int = 8000) -> tuple[str, int]:
    """The container's own address: what refuses there refuses, where a published port's proxy would accept first."""
    return inspect(container)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], port


def ask(address: tuple[str, int], request: bytes = b"hi") -> bytes:
    """Everything that is answered to one request, up to the FIN."""
    with closing(socket.create_connection(address, timeout=30)) as connection:
        connection.sendall(request)
        heard = b""
        while piece := connection.recv(4096):
            heard += piece
        return heard


def _run(command: list[str], env: dict[str, str] | None = None, say: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, input=say)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
