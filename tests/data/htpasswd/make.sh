#!/bin/sh
# Regenerates the htpasswd files in this folder with the tools listed in README.md. Salts are random, so every run gives
# other hashes of the same passwords. A user is named `password.variant`.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3} # one that has argon2-cffi and passlib

plain='Hunter2-hunter2'
utf8='пароль-Straße-🔑'
colon='a:b c: d'
empty=''
long='01234567890123456789012345678901234567890123456789012345678901234567890123456789'

htpasswd_file() { # variant, options
    variant=$1
    shift
    for name in plain utf8 colon empty long; do
        eval "password=\$$name"
        htpasswd "$@" "$name.$variant" "$password" 2>/dev/null | grep .
    done
}

mkpasswd_file() { # variant, options
    variant=$1
    shift
    for name in plain utf8 colon empty long; do
        eval "password=\$$name"
        echo "$name.$variant:$(mkpasswd "$@" "$password")"
    done
}

{ htpasswd_file 2y-4 -bnB -C 4; htpasswd_file 2y-5 -bnB -C 5 | head -n 1; } > apache-bcrypt.htpasswd
htpasswd_file apr1 -bnm > apache-apr1.htpasswd
htpasswd_file sha -bns > apache-sha1.htpasswd
{ htpasswd_file sha256 -bn2; htpasswd_file sha256-1000 -bn2 -r 1000; } > apache-sha256crypt.htpasswd
{ htpasswd_file sha512 -bn5; htpasswd_file sha512-1000 -bn5 -r 1000; } > apache-sha512crypt.htpasswd

{ mkpasswd_file 2b -m bcrypt -R 5; mkpasswd_file 2a -m bcrypt-a -R 5; } > mkpasswd-bcrypt.htpasswd
{ mkpasswd_file 5 -m sha256crypt; mkpasswd_file 5-1234 -m sha256crypt -R 1234; } > mkpasswd-sha256crypt.htpasswd
{ mkpasswd_file 6 -m sha512crypt; mkpasswd_file 6-1234 -m sha512crypt -R 1234; } > mkpasswd-sha512crypt.htpasswd
{ mkpasswd_file y-1 -m yescrypt -R 1; mkpasswd_file y-3 -m yescrypt -R 3 | head -n 1
  mkpasswd_file y-default -m yescrypt | head -n 1; } > mkpasswd-yescrypt.htpasswd

for variant in id i d; do
    "$python" make_python.py argon2"$variant" plain "$plain" utf8 "$utf8" colon "$colon" empty "$empty" long "$long"
done > python-argon2.htpasswd
"$python" make_python.py scrypt plain "$plain" utf8 "$utf8" colon "$colon" empty "$empty" long "$long" \
    > python-scrypt.htpasswd
"$python" make_python.py ssha plain "$plain" utf8 "$utf8" colon "$colon" empty "$empty" long "$long" \
    > python-ssha.htpasswd
# Passwords of the maximum length, and longer ones.
bytes() { head -c "$1" /dev/zero | tr '\0' x; }
{
    "$python" make_python.py shacrypt bytes511 "$(bytes 511)" bytes512 "$(bytes 512)"
    "$python" make_python.py shacrypt-slow bytes128 "$(bytes 128)" bytes129 "$(bytes 129)"
} > python-shacrypt.htpasswd
