#!/bin/sh
# Packages the chart into dist/, and with REGISTRY, such as ghcr.io/me/order-saga, pushes it there as an OCI artefact and says
# its digest. The arguments are helm's for the push.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version: *\([^ ]*\).*/\1/p' helm/order-saga/Chart.yaml)
file=dist/order-saga-$version.tgz
helm package helm/order-saga --destination dist >/dev/null
if [ -z "${REGISTRY:-}" ]; then
    echo "$file"
    exit
fi
pushed=$(helm push "$file" "oci://$REGISTRY" "$@" 2>&1) || {
    echo "order-saga: the chart is not pushed: $pushed" >&2
    exit 1
}
echo "oci://$REGISTRY/order-saga:$version@$(printf '%s\n' "$pushed" | sed -n 's/^Digest: *//p')"
