// Checks each manifest in envoy/ and in the documents against the schema of its consumer, which must know every field.
// `make check-manifests` prepares and runs this.
//
// The schemas are those of the custom resources, as npm packages: a validator for values, and types, which find unknown
// fields (a cluster drops those silently). Istio's TrafficExtension has no package yet. Its members are those of a
// WasmPlugin, some of them one level deeper, so it is checked as one.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { parseAllDocuments } from "yaml";

import { Backend, ClientTrafficPolicy, EnvoyExtensionPolicy, EnvoyProxy } from "@kubernetes-models/envoy-gateway/gateway.envoyproxy.io/v1alpha1";
import { BackendTLSPolicy, Gateway, HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { WasmPlugin } from "@kubernetes-models/istio/extensions.istio.io/v1alpha1";
import { DestinationRule, ServiceEntry } from "@kubernetes-models/istio/networking.istio.io/v1";
import { AuthorizationPolicy, RequestAuthentication } from "@kubernetes-models/istio/security.istio.io/v1";

const here = import.meta.dirname;
const root = join(here, "../..");
const ENVOY_GATEWAY = "@kubernetes-models/envoy-gateway/gateway.envoyproxy.io/v1alpha1";
const GATEWAY_API = "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
const ISTIO_NETWORKING = "@kubernetes-models/istio/networking.istio.io/v1";
const KINDS = {
  WasmPlugin: [WasmPlugin, "@kubernetes-models/istio/extensions.istio.io/v1alpha1"],
  AuthorizationPolicy: [AuthorizationPolicy, "@kubernetes-models/istio/security.istio.io/v1"],
  RequestAuthentication: [RequestAuthentication, "@kubernetes-models/istio/security.istio.io/v1"],
  ServiceEntry: [ServiceEntry, ISTIO_NETWORKING],
  DestinationRule: [DestinationRule, ISTIO_NETWORKING],
  EnvoyExtensionPolicy: [EnvoyExtensionPolicy, ENVOY_GATEWAY],
  EnvoyProxy: [EnvoyProxy, ENVOY_GATEWAY],
  ClientTrafficPolicy: [ClientTrafficPolicy, ENVOY_GATEWAY],
  Backend: [Backend, ENVOY_GATEWAY],
  BackendTLSPolicy: [BackendTLSPolicy, GATEWAY_API],
  HTTPRoute: [HTTPRoute, GATEWAY_API],
  Gateway: [Gateway, GATEWAY_API],
};

const faults = [];
const checked = [];

function filesBelow(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** Converts a TrafficExtension to a WasmPlugin, which has the members of `wasm` one level higher. */
function asWasmPlugin(place, { kind, spec, ...rest }) {
  const { wasm, ...shared } = spec;
  const known = ["selector", "targetRefs", "phase", "priority", "match"];
  const unknown = Object.keys(shared).filter((name) => !known.includes(name));
  if (unknown.length > 0 || !wasm) faults.push(`${place}: expected wasm, ${known}; found ${Object.keys(spec)}`);
  for (const name of known.filter((name) => name in (wasm ?? {}))) faults.push(`${place}: ${name} stands beside wasm`);
  return { ...rest, kind: "WasmPlugin", spec: { ...shared, ...wasm } };
}

function checkManifest(place, manifest) {
  const value = manifest.kind === "TrafficExtension" ? asWasmPlugin(place, manifest) : manifest;
  const known = KINDS[value.kind];
  if (!known) return false;
  try {
    new known[0](value).validate();
  } catch (error) {
    faults.push(`${place}: ${error.message}`);
  }
  checked.push({ place, value, package: known[1] });
  return true;
}

function checkTypes() {
  const path = join(here, "generated.ts");
  const lines = checked.flatMap(({ place, value, package: from }, at) => [
    `import type { I${value.kind} as T${at} } from "${from}"; const v${at}: T${at} = ${JSON.stringify(value)}; // ${place}`,
  ]);
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const text = lines.join("\n");
  host.fileExists = (name) => name === path || fileExists(name);
  host.readFile = (name) => (name === path ? text : readFile(name));
  host.getSourceFile = (name, ...rest) =>
    name === path ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest);
  const program = ts.createProgram([path], options, host);
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start).line ?? 0;
    faults.push(`${checked[line]?.place}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`);
  }
}

for (const path of filesBelow("envoy").filter((path) => /\.ya?ml$/.test(path))) {
  const text = readFileSync(join(root, path), "utf8");
  for (const document of parseAllDocuments(text)) {
    if (document.errors.length > 0) faults.push(`${path}: ${document.errors}`);
    const manifest = document.toJS();
    if (manifest.kind === "Kustomization") {
      const built = execFileSync("kubectl", ["kustomize", join(root, path, "..")], { encoding: "utf8" });
      for (const resource of parseAllDocuments(built)) checkManifest(`${path}, built`, resource.toJS());
    } else if (!checkManifest(path, manifest) && !manifest.static_resources && !manifest.services && !manifest.groups) {
      // Envoy itself checks its manifests, compose-spec checks docker-compose.yaml, and promtool the alerts.
      faults.push(`${path}: nothing checks a ${manifest.kind}`);
    }
  }
}

/** Checks the files of an overlay that a guide shows, combined with the base that their paths begin with. */
function checkOverlay(guide, files) {
  const folder = mkdtempSync(join(tmpdir(), "overlay-"));
  try {
    const [base] = Object.keys(files)[0].split("/");
    cpSync(join(root, "envoy", base), join(folder, base), { recursive: true });
    mkdirSync(join(folder, "overlay"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "overlay", name.split("/")[1]), text);
    const built = execFileSync("kubectl", ["kustomize", join(folder, "overlay")], { encoding: "utf8" });
    const policies = parseAllDocuments(built).map((resource) => resource.toJS());
    for (const policy of policies) checkManifest(`${guide}, overlay`, policy);
    if (!built.includes(`@sha256:${"1".repeat(64)}`)) faults.push(`${guide}: the overlay does not put its image in`);
    if (!/failStrategy: FAIL_RELOAD|failOpen: false/.test(built)) faults.push(`${guide}: the overlay loses the failure policy`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const documents = ["README.md", ...filesBelow("docs"), ...filesBelow("envoy")].filter((path) => path.endsWith(".md"));
for (const path of documents) {
  const text = readFileSync(join(root, path), "utf8");
  const overlay = {};
  for (const [, info, block] of text.matchAll(/^ *```ya?ml([^\n]*)\n(.*?)^ *```$/gms)) {
    const [, name] = info.match(/ overlay (\S+)/) ?? [];
    if (name) {
      overlay[name] = block;
      continue;
    }
    for (const document of parseAllDocuments(block)) {
      const manifest = document.toJS();
      if (manifest?.apiVersion && !checkManifest(`${path} (${manifest.kind})`, manifest)) {
        faults.push(`${path}: nothing checks a ${manifest.kind}`);
      }
    }
  }
  if (Object.keys(overlay).length > 0) checkOverlay(path, overlay);
}
checkTypes();

if (checked.length < 8) faults.push(`only ${checked.length} manifests found`);
// Verify that the check finds a typo.
const typo = { apiVersion: "extensions.istio.io/v1alpha1", kind: "WasmPlugin", spec: { url: "oci://x/y", phase: "AUTHN", failStratgy: "x" } };
const before = faults.length;
checked.length = 0;
checkManifest("a typo", typo);
checkManifest("a wrong word", { ...typo, spec: { url: "oci://x/y", failStrategy: "FAIL_SOMETIMES" } });
checkTypes();
const found = faults.splice(before);
for (const what of ["a typo", "a wrong word"]) {
  if (!found.some((fault) => fault.startsWith(what))) faults.push(`${what} was not found`);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log("check-manifests: all manifests are as their schemas say");
