"""Prints htpasswd lines in formats that only Python libraries support: make_python.py KIND NAME PASSWORD [NAME PASSWORD ...]"""

import os
import sys

from argon2 import Type
from argon2.low_level import hash_secret
from passlib.hash import ldap_salted_sha1, scrypt, sha256_crypt, sha512_crypt


def argon2(kind):
    """Yields cheap hashes for every password, one hash with several passes and lanes, and one of version 0x10."""
    settings = [dict(m=64, t=1, p=1, v=19), dict(m=512, t=3, p=4, v=19), dict(m=64, t=2, p=1, v=16)]
    for index, (m, t, p, v) in enumerate(s.values() for s in settings):

        def make(password, m=m, t=t, p=p, v=v):
            return hash_secret(
                password, os.urandom(16), memory_cost=m, time_cost=t, parallelism=p, hash_len=32, type=kind, version=v
            ).decode()

        yield f"m{m}-t{t}-p{p}-v{v}", make, index > 0


def variants(kind):
    """Yields (variant, function from password to hash, true if a single password suffices)."""
    if kind.startswith("argon2"):
        for variant, make, once in argon2({"id": Type.ID, "i": Type.I, "d": Type.D}[kind[6:]]):
            yield f"{kind}-{variant}", make, once
    elif kind == "scrypt":
        for rounds, block_size, parallelism, once in [(4, 8, 1, False), (5, 4, 3, True), (14, 8, 1, True)]:
            setting = scrypt.using(rounds=rounds, block_size=block_size, parallelism=parallelism)
            yield f"scrypt-{rounds}-{block_size}-{parallelism}", setting.hash, once
    elif kind == "ssha":
        for salt_size in (4, 8, 16):
            yield f"ssha-{salt_size}", ldap_salted_sha1.using(salt_size=salt_size).hash, salt_size > 4
    elif kind == "shacrypt":
        yield "5-1000", sha256_crypt.using(rounds=1000).hash, False
        yield "6-1000", sha512_crypt.using(rounds=1000).hash, False
    elif kind == "shacrypt-slow":
        yield "6-656000", sha512_crypt.using(rounds=656000).hash, False
    else:
        raise SystemExit(__doc__)


kind, *arguments = sys.argv[1:]
passwords = list(zip(arguments[::2], arguments[1::2]))
for variant, make, once in variants(kind):
    for name, password in passwords[:1] if once else passwords:
        print(f"{name}.{variant}:{make(password.encode())}")
