#!/usr/bin/env python3
"""Creates the two tokens of the sample, and prints the key set for envoy.yaml. For the demo only: the key is public.

Needs Python 3 and the `openssl` command. A missing key is generated:

    python3 envoy/demo/mint.py
"""

import base64
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
KEY = HERE / "key.pem"
KID = "demo"
TOKENS = {"reader.jwt": ("demo-reader", "read"), "admin.jwt": ("demo-admin", "read admin")}
IAT = 1735689600  # 2025-01-01
EXP = 4102444800  # 2100-01-01


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def r_and_s(der):
    """Converts a DER ECDSA-Sig-Value to the concatenated numbers of RFC 7518 §3.4."""
    data, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        data += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return data


def sign(claims):
    header = {"alg": "ES256", "kid": KID, "typ": "JWT"}
    text = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return text + "." + base64url(r_and_s(openssl("dgst", "-sha256", "-sign", str(KEY), stdin=text.encode())))


def main():
    if not KEY.exists():
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(KEY))
    for name, (subject, scope) in TOKENS.items():
        claims = {"iss": "https://idp.example.com", "aud": "api", "sub": subject, "scope": scope, "iat": IAT, "exp": EXP}
        (HERE / name).write_text(sign(claims) + "\n")
    point = openssl("pkey", "-in", str(KEY), "-pubout", "-outform", "DER")[-64:]
    key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID}
    print(json.dumps({"keys": [key | {"x": base64url(point[:32]), "y": base64url(point[32:])}]}))


if __name__ == "__main__":
    main()
