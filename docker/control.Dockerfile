# The control plane: API, database, launchers. No torch, ray or vLLM.
# BASE is any Debian or Ubuntu; one without a Python gets that of its distribution.
ARG BASE=python:3.11-slim-bookworm

# Empty, unless the build context of this name brings wheels that no index has.
FROM scratch AS wheels

FROM ${BASE} AS base
RUN if ! command -v python3 > /dev/null; then \
        apt-get update \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            ca-certificates python3 \
        && apt-get clean \
        && rm -rf /var/lib/apt/lists/*; \
    fi
RUN groupadd --gid 10001 rkd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin rkd \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/rkd
COPY docker/login.sh /etc/profile.d/rkd.sh

FROM base AS dependencies
RUN if ! python3 -c 'import ensurepip' 2> /dev/null; then \
        apt-get update \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv \
        && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /src
COPY scripts/ scripts/
COPY locks/ locks/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    --mount=type=bind,from=wheels,target=/wheels \
    python3 -m scripts.image_environment locks base control

FROM dependencies AS project
COPY LICENSE README.md pyproject.toml ./
COPY rkd_online/ rkd_online/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    python3 -m scripts.image_environment project

FROM base AS image
COPY --from=dependencies /opt/rkd /opt/rkd
# A new version of this package is this layer alone.
COPY --from=project /project /
ENV PATH=/opt/rkd/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RKD_DATA_DIR=/var/lib/rkd \
    RKD_INTERPRETER=/opt/rkd/bin/python
WORKDIR /
USER 10001:10001
EXPOSE 8420
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('RKD_PORT', 8420)}/livez\", timeout=4)"]
ENTRYPOINT ["rkd"]
CMD ["serve", "--host", "0.0.0.0"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rkd-online-control" \
    org.opencontainers.image.description="Control plane of rkd_online: REST API, jobs, records" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
