# navbook as a container: docs/DEPLOY.md has the line that runs it. The root is read-only; /data is yours.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY lib lib
COPY notebooks notebooks
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps -e . && .venv/bin/python -m compileall -q lib

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin navbook
COPY --from=build /app /app
USER 10001
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
HEALTHCHECK --interval=5m --timeout=1m --start-period=5m CMD ["navbook", "check"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["navbook"]
CMD ["schedule", "--grace", "60"]
