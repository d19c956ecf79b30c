# One image for every role: `docker run evalbus serve evaluator`, `… migrate`, `… run FILE`.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/evalbus
# The lock changes less often than the code: this layer is kept.
COPY deploy/locks/runtime.lock deploy/locks/runtime.lock
RUN /opt/evalbus/bin/pip install --require-hashes --requirement deploy/locks/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY schemas schemas
RUN /opt/evalbus/bin/pip install --no-build-isolation --no-deps .

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="evalbus" \
      org.opencontainers.image.description="A self-hosted evaluation service on RabbitMQ and Postgres" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number that no user of the host is likely to have, and a folder for embedded mode that it owns.
RUN groupadd --gid 10001 evalbus \
    && useradd --uid 10001 --gid evalbus --no-create-home --shell /usr/sbin/nologin evalbus \
    && install --directory --owner evalbus --group evalbus /data
COPY --from=build /opt/evalbus /opt/evalbus
ENV PATH=/opt/evalbus/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    EVALBUS_DATA_DIR=/data \
    EVALBUS_HTTP_HOST=0.0.0.0 \
    EVALBUS_HTTP_PORT=8080
USER 10001:10001
WORKDIR /data
EXPOSE 8080
# Alive, not ready: a broker that is away is no reason to restart a service.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['EVALBUS_HTTP_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["evalbus"]
CMD ["--help"]
