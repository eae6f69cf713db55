# An image for each service and the console: docker build --build-arg SERVICE=order_svc .
#
# All share every layer but the last, which holds the service's own package. The shared ones also hold the command
# line `ordersaga` and the contracts in schemas/, so that any of the images can deploy topics and schemas and be looked
# into: kubectl exec deploy/demo-operators -- ordersaga saga list --stuck
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS dependencies
COPY requirements.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /venv && \
    pip --disable-pip-version-check --python /venv/bin/python install --require-hashes --no-deps --only-binary :all: \
      --requirement /requirements.txt

FROM python:${PYTHON}-slim AS shared
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ordersaga && \
    printf '#!/bin/sh\nexec python -m ordersaga_cli "$@"\n' >/usr/local/bin/ordersaga && chmod 755 /usr/local/bin/ordersaga
COPY --from=dependencies /venv /venv
WORKDIR /app
# Nothing is written at run time: the root file system may be read-only.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app:/app/gen PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY gen/buf gen/buf
COPY gen/ordersaga gen/ordersaga
COPY gen/ordersaga_client gen/ordersaga_client
COPY schemas schemas
COPY ordersaga_cli ordersaga_cli
COPY sagakit sagakit
RUN python -m compileall -q /venv /app
EXPOSE 50051 9101
USER 10001:10001
LABEL org.opencontainers.image.title="Order Saga" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM shared
ARG SERVICE
LABEL org.opencontainers.image.description="$SERVICE of Order Saga"
COPY $SERVICE $SERVICE
ARG VERSION=unknown
ENV SERVICE=$SERVICE SERVICE_VERSION=$VERSION
ENTRYPOINT ["/bin/sh", "-c", "exec python -m \"$SERVICE\" \"$@\"", "service"]
