"""Checks that envoy/docker-compose.yaml is a Compose file, mounts existing files, and starts Envoy with a valid bootstrap.

`make check-manifests` prepares and runs this. No container is started: a folder with the mounts replaces the
container's root, and the command runs there unchanged, except that Envoy only validates its configuration.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).resolve().parents[2]
path = ROOT / "envoy/docker-compose.yaml"
text = path.read_text()

compose = PyCompose.from_yaml(text)
compose.validate()
compose.to_spec()
try:
    PyCompose.from_yaml(text.replace("command:", "comand:", 1)).validate()
    sys.exit("a typo was not found")
except Exception as error:  # any exception means that the typo was found
    if isinstance(error, SystemExit):
        raise

service = compose.to_dict()["services"]["envoy"]
mounts = [mount.split(":")[0] for mount in service["volumes"]]
built = ROOT / "dist/authgate.wasm"
for mount in mounts:
    source = (path.parent / mount).resolve()
    if source != built and not source.is_file():
        sys.exit(f"{path}: {mount} is not there")
if built not in [(path.parent / mount).resolve() for mount in mounts]:
    sys.exit(f"{path}: does not mount what `make build` makes")


def run(container):
    """Runs the command in a folder that looks like the container; returns the configuration that Envoy accepted."""
    for mount in service["volumes"]:
        source, target = mount.split(":")[:2]
        place = container / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to((path.parent / source).resolve())
    for folder in ["bin", "tmp"]:
        (container / folder).mkdir()
    envoy = Path(shutil.which(os.environ.get("ENVOY", "envoy"))).resolve()
    (container / "bin/envoy").write_text(f'#!/bin/sh\nexec "{envoy}" "$@" --mode validate\n')
    (container / "bin/envoy").chmod(0o755)
    command = [word.replace("/tmp/", f"{container}/tmp/") for word in service["command"]]
    folder = container / service["working_dir"].lstrip("/")
    environment = {**os.environ, "PATH": f"{container}/bin:{os.environ['PATH']}"}
    started = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if started.returncode != 0:
        sys.exit(f"{path}: its command fails: {started.stdout}{started.stderr}")
    return yaml.safe_load((container / "tmp/envoy.yaml").read_text())


with tempfile.TemporaryDirectory() as container:
    bootstrap = run(Path(container))
address = lambda holder: holder["address"]["socket_address"]  # noqa: E731
gates = [address(listener) for listener in bootstrap["static_resources"]["listeners"]]
open_ports = [gate["port_value"] for gate in [*gates, address(bootstrap["admin"])] if gate["address"] != "127.0.0.1"]
published = [port.split(":") for port in service["ports"]]
if published != [["127.0.0.1", str(port), str(port)] for port in open_ports] or open_ports != [10000]:
    sys.exit(f"{path}: publishes {published}, while {open_ports} can be reached in the container")
print("check-manifests: docker-compose.yaml is a Compose file, and its command is one that Envoy takes")
