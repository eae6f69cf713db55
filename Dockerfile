# An image for each service, and one for the console:
#
#   docker build --build-arg SERVICE=order_svc .
#   docker build --target console .
#
# The services' share every layer but the last, which holds the service's own package. The shared ones also hold the
# command line `ordersaga` and the contracts in schemas/, so that any of the four can deploy topics and schemas and be
# looked into: kubectl exec deploy/demo-operators -- ordersaga saga list --stuck
#
# `make base` writes the digest of the base behind its tag. Without one, tools/images.sh pushes nothing.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS installer
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils
COPY tools/slim.sh /

FROM installer AS service-packages
COPY requirements-services.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /venv && \
    pip --disable-pip-version-check --python /venv/bin/python install --require-hashes --no-deps --only-binary :all: \
      --no-compile --requirement /requirements-services.txt && \
    /slim.sh /venv

FROM installer AS console-packages
COPY requirements-console.txt /
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /venv && \
    pip --disable-pip-version-check --python /venv/bin/python install --require-hashes --no-deps --only-binary :all: \
      --no-compile --requirement /requirements-console.txt && \
    /slim.sh /venv

FROM ${BASE} AS user
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ordersaga
WORKDIR /app
# Nothing is written at run time: the root file system may be read-only. So all Python is compiled here.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app:/app/gen PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Order Saga" \
      org.opencontainers.image.licenses="Apache-2.0"

# VERSION stands before a RUN, here and below: where an argument has another value, buildah does only RUN again and takes the
# rest from its cache. An image would then say the revision of the one before.
FROM user AS console
COPY --from=console-packages /venv /venv
COPY gen/buf gen/buf
COPY gen/ordersaga gen/ordersaga
COPY gen/ordersaga_client gen/ordersaga_client
COPY sagakit sagakit
COPY console_svc console_svc
ARG VERSION=unknown
RUN python -m compileall -q --invalidation-mode unchecked-hash /app
EXPOSE 8088
USER 10001:10001
LABEL org.opencontainers.image.description="console_svc of Order Saga" org.opencontainers.image.version="$VERSION"
ENTRYPOINT ["python", "-m", "console_svc"]

FROM user AS services
RUN printf '#!/bin/sh\nexec python -m ordersaga_cli "$@"\n' >/usr/local/bin/ordersaga && chmod 755 /usr/local/bin/ordersaga
COPY --from=service-packages /venv /venv
COPY gen/buf gen/buf
COPY gen/ordersaga gen/ordersaga
COPY gen/ordersaga_client gen/ordersaga_client
COPY schemas schemas
COPY cluster_secrets cluster_secrets
COPY ordersaga_cli ordersaga_cli
COPY sagakit sagakit
RUN python -m compileall -q --invalidation-mode unchecked-hash /app
EXPOSE 50051 9101

FROM services
ARG SERVICE
COPY $SERVICE $SERVICE
ARG VERSION=unknown
RUN python -m compileall -q --invalidation-mode unchecked-hash $SERVICE
USER 10001:10001
LABEL org.opencontainers.image.description="$SERVICE of Order Saga" org.opencontainers.image.version="$VERSION"
ENV SERVICE=$SERVICE SERVICE_VERSION=$VERSION
ENTRYPOINT ["/bin/sh", "-c", "exec python -m \"$SERVICE\" \"$@\"", "service"]
