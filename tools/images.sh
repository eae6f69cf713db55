#!/bin/sh
# Builds the image of each service and of the console, order-saga/order-svc:TAG and so on, and gives it to the cluster.
#
# With the argument `tag` it only says which tag that is.
#
#   TAG             the images' tag; else the chart's appVersion
#   CONTEXT         the cluster's context; else kubectl's current one
#   IMAGE_BUILDER   a command that is run as: COMMAND NAME FOLDER OPTION..., and builds and loads an image; else docker
#                   or buildah builds, and where the context is minikube's or kind's, that loads
set -eu
cd "$(dirname "$0")/.."
tag=${TAG:-$(sed -n 's/^appVersion: *\([^ ]*\).*/\1/p' helm/order-saga/Chart.yaml)}

if [ "${1:-}" = tag ]; then
    echo "$tag"
    exit
fi

fail() {
    echo "order-saga: $*" >&2
    exit 1
}

if [ -n "${IMAGE_BUILDER:-}" ]; then
    tool=
elif docker info >/dev/null 2>&1; then
    tool=docker
elif command -v buildah >/dev/null; then
    tool=buildah
else
    fail "no Docker engine answers and there is no buildah; IMAGE_BUILDER can name another builder (see tools/images.sh)"
fi

load() { # load NAME
    context=${CONTEXT:-$(kubectl config current-context 2>/dev/null || true)}
    case $context in
    minikube) in_archive "$1" minikube image load ;;
    kind-*) in_archive "$1" kind load image-archive --name "${context#kind-}" ;;
    *) echo "order-saga: built $1; it is not given to any cluster, because the context '$context' is not minikube's or kind's" >&2 ;;
    esac
}

in_archive() { # in_archive NAME COMMAND...: run COMMAND on an archive of the image
    name=$1
    shift
    archive=$(mktemp -d)/image.tar
    case $tool in
    docker) docker save --output "$archive" "$name" ;;
    buildah) buildah push --quiet "$name" "docker-archive:$archive:$name" ;;
    esac
    "$@" "$archive"
    rm -r "$(dirname "$archive")"
}

# What the services tell of themselves: this version, and the revision where git knows it.
version=$tag
revision=$(git describe --always --dirty --exclude '*' 2>/dev/null) && version=$tag+$revision

for program in *_svc/__main__.py; do
    service=${program%/*}
    name=order-saga/${service%_svc}-svc:$tag
    case $tool in
    docker) docker build --tag "$name" --build-arg "SERVICE=$service" --build-arg "VERSION=$version" . ;;
    buildah) buildah build --layers --format docker --tag "$name" --build-arg "SERVICE=$service" --build-arg "VERSION=$version" . ;;
    *) $IMAGE_BUILDER "$name" . --build-arg "SERVICE=$service" --build-arg "VERSION=$version" ;;
    esac
    [ -z "$tool" ] || load "$name"
done
