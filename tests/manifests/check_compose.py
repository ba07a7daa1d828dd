"""envoy/docker-compose.yaml is a Compose file, and mounts what is there. `make check-manifests` prepares and calls this."""

import sys
from pathlib import Path

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
except Exception as error:  # what it raises is its own affair
    if isinstance(error, SystemExit):
        raise

mounts = [mount.split(":")[0] for mount in compose.to_dict()["services"]["envoy"]["volumes"]]
built = ROOT / "dist/authgate.wasm"
for mount in mounts:
    source = (path.parent / mount).resolve()
    if source != built and not source.is_file():
        sys.exit(f"{path}: {mount} is not there")
if built not in [(path.parent / mount).resolve() for mount in mounts]:
    sys.exit(f"{path}: does not mount what `make build` makes")
print("check-manifests: docker-compose.yaml is a Compose file")
