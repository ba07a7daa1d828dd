#!/usr/bin/env bash
# Generates the known answers: a key, and a signature of the message for each algorithm. Private keys are
# discarded.
set -euo pipefail
cd "$(dirname "$0")"

keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT
printf 'authgate: known answer' > "$keys/message"

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/rsa"
for curve in P-256 P-384 P-521; do
    openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$curve" -out "$keys/$curve"
done

answer() { # algorithm, key, hash
    openssl pkey -in "$keys/$2" -pubout -outform DER -out "$2.spki.bin"
    openssl dgst "-$3" -sign "$keys/$2" -out "$1.sig.bin" "$keys/message"
}
answer rs256 rsa sha256
answer rs384 rsa sha384
answer rs512 rsa sha512
answer es256 P-256 sha256
answer es384 P-384 sha384
answer es512 P-521 sha512
