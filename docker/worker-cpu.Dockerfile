# A Ray node that runs jobs on CPU: torch's and vLLM's CPU builds. KubeRay sets the command.
# BASE is any Debian or Ubuntu on x86_64; one without a Python gets that of its distribution.
ARG BASE=python:3.11-slim-bookworm

# Empty, unless the build context of this name brings wheels that no index has.
FROM scratch AS wheels

FROM ${BASE} AS base
# vLLM's CPU build loads libnuma; KubeRay's probes of Ray may be wget's.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libnuma1 wget \
    && if ! command -v python3 > /dev/null; then \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3; \
    fi \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 rkd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin rkd \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/rkd
COPY docker/login.sh /etc/profile.d/rkd.sh

FROM base AS dependencies
# pycosat of reasoning-gym comes as source.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev \
    && if ! command -v python3-config > /dev/null || ! python3 -c 'import ensurepip'; then \
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            python3-dev python3-venv; \
    fi \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY scripts/ scripts/
COPY locks/ locks/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    --mount=type=bind,from=wheels,target=/wheels \
    python3 -m scripts.image_environment locks cpu trackers

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
CMD ["/bin/bash"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rkd-online-worker-cpu" \
    org.opencontainers.image.description="Ray node that runs jobs of rkd_online on CPU" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
