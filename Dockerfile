# This file works with both builders of Docker, and with Podman.
ARG BASE=python:3.13-slim-trixie

# ── build: a virtual environment with the pinned packages, and Answerback built by pinned tools ──
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

# ── the image: only that environment, run by an unprivileged user ──
FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="answerback" \
      org.opencontainers.image.description="A programmable TCP server for tests and infrastructure" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/answerback /opt/answerback
# The metrics are open to a scraper outside the container; the admin API stays on the container's loopback.
ENV PATH=/opt/answerback/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    ANSWERBACK_METRICS=0.0.0.0:9464
# Compile the imported modules now, those of the standard library too: the official base image has no bytecode, and the user of
# the container cannot write it. Create the directory for `--state`; a new volume inherits its owner.
RUN python -c "import answerback.app, answerback.cli, answerback.worker" \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/answerback
# A numeric user, so that an orchestrator can verify that it is not root.
USER 65532:65532
EXPOSE 8000 9464 50051
STOPSIGNAL SIGTERM
# Not `--start-interval=1s`: builders and engines before Docker 25 reject it ("Unknown flag"). So the interval itself is short;
# with a newer engine `docker run --health-start-interval 1s` detects the start earlier.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["answerback", "health"]
ENTRYPOINT ["answerback"]
CMD ["serve"]
