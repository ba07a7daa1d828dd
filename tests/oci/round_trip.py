#!/usr/bin/env python3
"""Pushes the images to a real registry on the loopback interface, pulls them, and starts Envoy with the pulled module.

`make test-oci` prepares and runs this. It needs Debian's docker-registry and skopeo, and stops the registry that it starts.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUSH = ["cargo", "run", "--locked", "--quiet", "-p", "xtask", "--", "push"]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PLAIN = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
CNCF = ("application/vnd.wasm.config.v0+json", "application/wasm")

REGISTRY = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, cwd=ROOT, **options)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def expect(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """docker-registry with empty storage, running until the end of the block."""

    def __init__(self, folder):
        self.port = free_port()
        configuration = folder / "registry.yaml"
        configuration.write_text(REGISTRY.format(folder=folder / "storage", port=self.port))
        self.command = ["docker-registry", "serve", str(configuration)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if self.process.poll() is not None:
                sys.exit("docker-registry does not start")
            try:
                self.get("/v2/")
                return self
            except OSError:
                time.sleep(0.05)
        sys.exit("docker-registry does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def get(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": MANIFEST})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers, answer.read()


def blobs(layout):
    """Returns the blobs of a layout by digest, after checking each digest."""
    found = {}
    for path in (layout / "blobs/sha256").iterdir():
        found["sha256:" + path.name] = path.read_bytes()
        expect(sha256(found["sha256:" + path.name]), "sha256:" + path.name, f"the content of {path}")
    return found


def check(registry, tag, layout, media_types, folder):
    """Checks that the pushed image equals the packed one, byte for byte; returns the manifest and the blobs."""
    [described] = json.loads((layout / "index.json").read_text())["manifests"]
    expect(described["mediaType"], MANIFEST, f"{tag}: the only entry of the layout")
    digest = described["digest"]
    for reference in [tag, digest]:
        headers, raw = registry.get(f"/v2/test/authgate/manifests/{reference}")
        expect(headers["Content-Type"], MANIFEST, f"{tag}: what the registry calls the manifest")
        expect(sha256(raw), digest, f"{tag}: the manifest by {reference}")
    pulled = folder / tag
    source = f"docker://127.0.0.1:{registry.port}/test/authgate@{digest}"
    run("skopeo", "copy", "--quiet", "--src-tls-verify=false", "--preserve-digests", source, f"oci:{pulled}")
    found = blobs(pulled)
    expect(sorted(found), sorted(blobs(layout)), f"{tag}: the digests that came back")
    manifest = json.loads(found[digest])
    [layer] = manifest["layers"]
    expect((manifest["config"]["mediaType"], layer["mediaType"]), media_types, f"{tag}: media types")
    expect(manifest["mediaType"], MANIFEST, f"{tag}: the manifest's own media type")
    config = json.loads(found[manifest["config"]["digest"]])
    expect((config["architecture"], config["os"]), ("wasm", "wasip1"), f"{tag}: the platform")
    return manifest, found


def main():
    module = (ROOT / "dist/authgate.wasm").read_bytes()
    for tool in ["docker-registry", "skopeo"]:
        if not shutil.which(tool):
            sys.exit(f"{tool} is needed: apt-get install docker-registry skopeo")
    with tempfile.TemporaryDirectory() as folder, Registry(Path(folder)) as registry:
        folder = Path(folder)
        image = f"127.0.0.1:{registry.port}/test/authgate"
        environment = {**os.environ, "IMAGE": f"{image}:1"}
        pushed = run(*PUSH, "--dest-tls-verify=false", env=environment, capture_output=True, text=True)
        plain = ROOT / "dist/oci"
        manifest, found = check(registry, "1", plain, PLAIN, folder)
        digest = json.loads((plain / "index.json").read_text())["manifests"][0]["digest"]
        expect(pushed.stdout.strip(), f"{image}@{digest}", "what `make push` says to pin")
        expect(manifest["annotations"]["module.wasm.image/variant"], "compat", "the variant")

        layer = folder / "layer.tar.gz"
        layer.write_bytes(found[manifest["layers"][-1]["digest"]])
        with tarfile.open(layer, "r:gz") as archive:
            expect(archive.getnames(), ["plugin.wasm"], "the names in the layer")
            (folder / "plugin.wasm").write_bytes(archive.extractfile("plugin.wasm").read())
        expect((folder / "plugin.wasm").read_bytes() == module, True, "the module that came back is the one that was built")

        manifest, found = check(registry, "1-cncf", ROOT / "dist/oci-cncf", CNCF, folder)
        layer = manifest["layers"][0]["digest"]
        expect(found[layer] == module, True, "the layer of the CNCF's layout is the module")
        config = json.loads(found[manifest["config"]["digest"]])
        expect(config["layerDigests"], [layer], "the layers that the CNCF's configuration names")

        # The sample in a real Envoy, with the module that was pulled.
        environment = {**os.environ, "AUTHGATE_WASM": str(folder / "plugin.wasm")}
        run("cargo", "test", "--locked", "--workspace", "--quiet", "--test", "envoy", "sample::", env=environment)
        for wrong in ["", "authgate", "127.0.0.1:5000/authgate", "authgate@sha256:00"]:
            refused = subprocess.run(PUSH, cwd=ROOT, env={**os.environ, "IMAGE": wrong}, capture_output=True)
            expect(refused.returncode, 1, f"IMAGE={wrong}")
    print(f"test-oci: pushed, pulled and started: {digest}")


main()
