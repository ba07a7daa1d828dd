#!/usr/bin/env bash
# Starts Envoy with the sample in the foreground and, once it listens, prints commands to try. `make run` prepares and
# runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

gate=127.0.0.1:10000

listens() {
    (exec 3<>"/dev/tcp/${gate/://}") 2>/dev/null
}

if listens; then
    echo "Something listens on $gate already; stop it first." >&2
    exit 1
fi

# Stops if Envoy, whose process id is that of this shell after `exec`, ends.
say_when_ready() {
    until listens; do
        kill -0 "$$" 2>/dev/null || return
        sleep 0.1
    done
    cat <<TEXT

authgate is up. From the repository's root:

  # public
  curl -i http://$gate/healthz
  # 401: who are you?
  curl -i http://$gate/basic
  # Basic; also bob:builder
  curl -i -u alice:wonderland http://$gate/basic
  # a JWT
  curl -i -H "Authorization: Bearer \$(cat envoy/demo/reader.jwt)" http://$gate/jwt
  # 403: scope \`admin\` is missing
  curl -i -H "Authorization: Bearer \$(cat envoy/demo/reader.jwt)" http://$gate/admin
  # this one has it
  curl -i -H "Authorization: Bearer \$(cat envoy/demo/admin.jwt)" http://$gate/admin
  # 403: no rule names it
  curl -i http://$gate/elsewhere

Ctrl-C ends it.

TEXT
}
say_when_ready &

exec "${ENVOY:-envoy}" --config-path envoy/envoy.yaml --disable-hot-restart --log-level warn
