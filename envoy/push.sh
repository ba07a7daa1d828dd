#!/usr/bin/env bash
# Pushes the images in dist/ and prints the references to pin. `make push IMAGE=registry/name:tag` runs it; skopeo gets
# its arguments.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "$*" >&2
    exit 1
}

image=${IMAGE:-}
name=${image%:*}
tag=${image##*:}
[[ $image == *?:?* && $tag != */* && $image != *@* ]] || fail "IMAGE=registry/name:tag is needed, not '$image'."
command -v skopeo >/dev/null || fail "skopeo is needed: apt-get install skopeo, brew install skopeo, …"

digestfile=$(mktemp)
trap 'rm -f "$digestfile"' EXIT

# Istio pins the digest of the manifest, so the manifest must be pushed unchanged.
push() {
    local layout=$1 image=$2 local_digest
    shift 2
    local_digest=$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$layout/index.json")
    skopeo copy --quiet --preserve-digests --digestfile "$digestfile" "$@" "oci:$layout" "docker://$image"
    [[ $(<"$digestfile") == "$local_digest" ]] || fail "$image: the digest is not that of $layout: $local_digest"
}

push dist/oci-cncf "$image-cncf" "$@"
push dist/oci "$image" "$@"
echo "$name@$(<"$digestfile")"
