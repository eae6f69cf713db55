#!/bin/sh
# Builds the image of each service and of the console, localhost/order-saga/order-svc:TAG and so on, and gives it to the
# cluster; or, with REGISTRY, builds them for each platform and pushes them.
#
# With the argument `tag` it only says which tag that is.
#
#   TAG             the images' tag; else the chart's appVersion
#   CONTEXT         the cluster's context; else kubectl's current one. The cluster has to be minikube's or kind's
#   REGISTRY        a registry and a folder there, such as ghcr.io/me/order-saga: images are pushed there, with a list of what
#                   they hold and how they were built where docker builds them, and dist/images.yaml has their digests,
#                   for `helm install --values`
#   PLATFORMS       with REGISTRY: what they are built for; else linux/amd64,linux/arm64
#   BASE            the image that they begin with; else the Dockerfile's, which has to have a digest for REGISTRY
#   IMAGE_BUILDER   a command that is run as: COMMAND NAME FOLDER OPTION..., and builds an image and gives it to the cluster,
#                   or to REGISTRY; else docker or buildah does
set -eu
cd "$(dirname "$0")/.."
tag=${TAG:-$(sed -n 's/^appVersion: *\([^ ]*\).*/\1/p' helm/order-saga/Chart.yaml)}
repository=${REGISTRY:-localhost/order-saga}
base=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
platforms=${PLATFORMS:-linux/amd64,linux/arm64}
cluster=

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

# Before minutes of building: where the images go.
if [ -n "${REGISTRY:-}" ]; then
    case $base in *@sha256:*) ;; *) fail "what others run begins with a known base, and $base has no digest: see \`make base\`" ;; esac
elif [ -n "$tool" ]; then
    context=${CONTEXT:-$(kubectl config current-context 2>/dev/null || true)}
    # The node knows by whom it was made, whatever the context is called.
    node=$(kubectl ${context:+--context "$context"} get nodes --request-timeout 20s --output \
        'jsonpath={.items[0].metadata.labels.minikube\.k8s\.io/name},{.items[0].spec.providerID}') ||
        fail "no cluster answers by the context '$context': start it, or push the images with REGISTRY=…"
    case $node in
    ,kind://*)
        cluster=kind
        name=${node%/*}
        name=${name##*/}
        ;;
    ?*,*)
        cluster=minikube
        name=${node%%,*}
        ;;
    *) fail "the cluster of the context '$context' is neither minikube's nor kind's: push the images with REGISTRY=…" ;;
    esac
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
archive=$scratch/image.tar

load() { # load IMAGE
    rm -f "$archive"
    case $tool in
    docker) docker save --output "$archive" "$1" ;;
    buildah) buildah push --quiet "$1" "docker-archive:$archive:$1" ;;
    esac
    case $cluster in
    kind) kind load image-archive --name "$name" "$archive" ;;
    minikube)
        minikube --profile "$name" image load "$archive"
        minikube --profile "$name" image ls >"$scratch/list" # `load` may fail and end with 0
        grep -q "\(^\|/\)$1\$" "$scratch/list" || fail "minikube's profile '$name' has not taken $1"
        ;;
    esac
}

push() { # push IMAGE OPTION...: build it for all platforms and push it; its digest is in $digest then
    image=$1
    shift
    told=$scratch/told
    case $tool in
    docker)
        docker buildx build --platform "$platforms" --sbom=true --provenance=mode=max --push --metadata-file "$told" \
            --tag "$image" "$@" .
        digest=$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$told")
        ;;
    buildah)
        buildah manifest rm "$image" >/dev/null 2>&1 || true # one of an earlier run would be added to
        buildah build --layers --platform "$platforms" --manifest "$image" "$@" .
        buildah manifest push --all --digestfile "$told" "$image" "docker://$image"
        digest=$(cat "$told")
        ;;
    esac
    # buildah 1.28 ends with 0 where a push fails, and leaves the digest empty.
    case $digest in sha256:*) ;; *) fail "$image: $tool says no digest, so it is not pushed" ;; esac
}

# What the services tell of themselves: this version, and the revision where git knows it.
version=$tag
revision=$(git describe --always --dirty --exclude '*' 2>/dev/null) && version=$tag+$revision

for program in *_svc/__main__.py; do
    service=${program%/*}
    noun=${service%_svc}
    image=$repository/$noun-svc:$tag
    case $noun in
    console) set -- --target console ;;
    *) set -- --build-arg "SERVICE=$service" ;;
    esac
    set -- "$@" --build-arg "VERSION=$version" ${BASE:+--build-arg "BASE=$BASE"}
    if [ -z "$tool" ]; then
        $IMAGE_BUILDER "$image" . "$@"
    elif [ -n "${REGISTRY:-}" ]; then
        push "$image" "$@"
        echo "    $noun: $digest" >>"$scratch/digests"
    else
        case $tool in
        docker) docker build --tag "$image" "$@" . ;;
        buildah) buildah build --layers --format docker --tag "$image" "$@" . ;;
        esac
        load "$image"
    fi
done

if [ -n "${REGISTRY:-}" ] && [ -n "$tool" ]; then
    mkdir -p dist
    {
        printf 'image:\n  repository: %s\n  tag: "%s"\n  digests:\n' "$repository" "$tag"
        cat "$scratch/digests"
    } >dist/images.yaml
    echo "order-saga: pushed; install them by their digests with: helm install demo helm/order-saga --values dist/images.yaml"
fi
