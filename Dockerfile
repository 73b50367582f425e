# Nothing here needs one builder or another: Docker's two and Podman's take this file as it is.
ARG BASE=python:3.13-slim-trixie

# ── build: a virtual environment with what is pinned, and the package built by pinned tools ──
FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/build \
 && python -m venv --without-pip /opt/answerback \
 && /opt/build/bin/pip install --quiet --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
 && /opt/build/bin/pip --python /opt/answerback/bin/python install --quiet --no-cache-dir --require-hashes \
      --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY service service
RUN /opt/build/bin/hatchling build -t wheel -d /tmp/wheel \
 && /opt/build/bin/pip --python /opt/answerback/bin/python install --quiet --no-cache-dir --no-index --no-deps /tmp/wheel/*.whl

# ── what runs: that environment alone, as a user without rights ──
FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="answerback" \
      org.opencontainers.image.description="A TCP endpoint you control" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/answerback /opt/answerback
# The metrics are for a scraper outside the container; the admin API stays on its loopback unless told otherwise.
ENV PATH=/opt/answerback/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    ANSWERBACK_METRICS=0.0.0.0:9464
# What is imported is compiled now, the standard library's part of it too: the official base comes without its bytecode, and
# whoever runs this cannot write it. And a place for `--state`, which a new volume takes its owner from.
RUN python -c "import answerback.app, answerback.cli, answerback.worker" \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/answerback
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
EXPOSE 8000 9464 50051
STOPSIGNAL SIGTERM
# Not `--start-interval=1s`: builders and engines before Docker 25 refuse it ("Unknown flag"), and the file with it. So the interval
# itself is short, and where the engine is newer, `docker run --health-start-interval 1s` makes the start shorter still.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["answerback", "health"]
ENTRYPOINT ["answerback"]
CMD ["serve"]
