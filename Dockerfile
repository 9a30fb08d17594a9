# The live server in a container: docker compose up, see docs/server.md.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY speechhead speechhead
COPY server server
COPY weights weights
# What is installed beside the library: server,gpu for a GPU, as compose.gpu.yaml has it.
ARG EXTRAS=server
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 speechhead
COPY --from=build /venv /venv
# Every option of the server may be set so; --help and server/speechhead_server/core/config.py name them.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SPEECHHEAD_HOST=0.0.0.0 \
    SPEECHHEAD_PORT=8080 \
    SPEECHHEAD_UDP_PORTS=50000-50100
USER speechhead
WORKDIR /home/speechhead
EXPOSE 8080/tcp 50000-50100/udp
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['SPEECHHEAD_PORT'] + '/healthz', timeout=4)"]
CMD ["speechhead", "serve"]
