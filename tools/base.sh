#!/bin/sh
# Pins the image that all images begin with: writes the digest, which its registry has for its tag now, into the Dockerfile.
set -eu
cd "$(dirname "$0")/.."
base=$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' Dockerfile)
if docker buildx version >/dev/null 2>&1; then # of the index, which names the image of each platform
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$base")
elif command -v skopeo >/dev/null; then
    digest=sha256:$(skopeo inspect --raw "docker://$base" | sha256sum | cut -d ' ' -f 1)
else
    echo "order-saga: neither docker buildx nor skopeo is there to ask for the digest of $base" >&2
    exit 1
fi
printf '%s\n' "$digest" | grep -qx 'sha256:[0-9a-f]\{64\}' || {
    echo "order-saga: '$digest' is no digest of $base" >&2
    exit 1
}
sed -i "s|^ARG BASE=.*|ARG BASE=$base@$digest|" Dockerfile
echo "$base@$digest"
