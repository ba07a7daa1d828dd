#!/usr/bin/env bash
# Builds the images in two clean clones of HEAD, and compares them. The clones differ in their paths, in the location of
# cargo's sources, and in time. `make reproducible` runs it. It needs the toolchain's target, and takes minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'wait; rm -rf "$folder"' EXIT
here=$PWD
commit=$(git rev-parse HEAD)
cargo_home=${CARGO_HOME:-$HOME/.cargo}

build() {
    local clone=$1 home=$2
    git clone --quiet --no-local "$here" "$clone"
    git -C "$clone" checkout --quiet --detach "$commit"
    (
        cd "$clone"
        unset CARGO_TARGET_DIR SOURCE_DATE_EPOCH REVISION MAKEFLAGS
        CARGO_HOME=$home make oci
    )
}

# The same crates at another location, without downloading them twice.
ln -s "$cargo_home" "$folder/elsewhere"

build "$folder/a" "$cargo_home" &
first=$!
build "$folder/a-longer-path/to-another-clone" "$folder/elsewhere"
wait "$first"
one=$folder/a/dist
other=$folder/a-longer-path/to-another-clone/dist

for place in "$here" "$folder" "$cargo_home" "$HOME/"; do
    if grep --quiet --fixed-strings --text -e "$place" "$one/authgate.wasm"; then
        echo "The module says where it was built: $place" >&2
        exit 1
    fi
done
diff --recursive "$one" "$other" || { echo "The two builds differ." >&2; exit 1; }
echo "reproducible: $(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$one/oci/index.json")"
