// The page: reads its fields, runs the tool, and shows what the tool says. Texts are only ever set as text.

const FIELDS = ["policy", "environment", "keys", "method", "url", "user", "password", "headers", "client", "peer", "at",
  "certificate", "as"];
/** Milliseconds without typing before the tool runs. */
const PAUSE = 250;
/** The HTML of a response in the text of an explanation. */
const HTML = /^ {2}<!doctype html>[^]*?^ {2}<\/html>$/m;

const element = (id) => document.getElementById(id);
const value = (id) => element(id).value;
const runner = new Runner();
let generation = 0;
let timer = 0;

/** Creates an element. */
function create(name, properties = {}, ...children) {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
}

const lines = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

/** The files that the tool reads. */
function files() {
  const given = { "policy.yaml": value("policy") };
  if (value("environment").trim()) given.env = value("environment");
  if (value("keys").trim()) given["keys.json"] = value("keys");
  return given;
}

/** The arguments of a subcommand that loads the policy. */
function source(given) {
  const options = ["-c", "policy.yaml"];
  if (given.env !== undefined) options.push("--env-file", "env");
  if (given["keys.json"] !== undefined) options.push("--jwks", "keys.json");
  return options;
}

/** The arguments for the request, as for curl. */
function request() {
  const headers = lines(value("headers"));
  const [name] = value("client").split(":");
  const isGiven = headers.some((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
  if (value("client") && !isGiven) headers.push(value("client"));
  const options = headers.map((line) => `--header=${line}`);
  if (value("method")) options.push(`--request=${value("method")}`);
  if (value("user")) options.push(`--user=${value("user")}:${value("password")}`);
  for (const id of ["peer", "at", "certificate"]) {
    if (value(id).trim()) options.push(`--${id}=${value(id).trim()}`);
  }
  options.push(...lines(value("as")).map((line) => `--as=${line}`));
  return [...options, "--", value("url")];
}

/** Runs the tool after a pause in typing. */
function schedule() {
  clearTimeout(timer);
  timer = setTimeout(update, PAUSE);
}

async function update() {
  clearTimeout(timer);
  const mine = ++generation;
  const given = files();
  const run = async (...args) => {
    const result = await runner.run(args, given);
    if (mine !== generation) throw new Outdated();
    return result;
  };
  element("results").setAttribute("aria-busy", "true");
  try {
    const environment = given.env === undefined ? [] : ["--env-file", "env"];
    showProblems(await run("check", "-o", "json", ...environment, "policy.yaml"));
    const arguments_ = request();
    const explained = await run("explain", "-o", "json", ...source(given), ...arguments_);
    if (explained.output) {
      const text = await run("explain", ...source(given), ...arguments_);
      showOutcome(JSON.parse(explained.output).outcome);
      element("explanation").textContent = text.output.replace(HTML, "  … the HTML, see the response");
    } else {
      showFailure(explained.errors);
    }
    const matrix = await run("matrix", "-o", "json", ...source(given));
    showMatrix(matrix.output ? JSON.parse(matrix.output) : null);
  } catch (thrown) {
    if (thrown instanceof Outdated) return;
    showFailure(`This page failed: ${thrown.message}`);
  }
  element("results").removeAttribute("aria-busy");
}

/** The fields have changed while the tool ran. */
class Outdated extends Error {}

function showProblems({ output, errors }) {
  if (!output) {
    element("problems").replaceChildren(create("pre", { textContent: errors }));
    return;
  }
  const found = JSON.parse(output);
  if (found.length === 0) {
    element("problems").replaceChildren(create("p", { className: "hint", textContent: "No problems found." }));
    return;
  }
  const items = found.map((problem) => {
    const place = create("button", { type: "button", textContent: `line ${problem.line}` });
    place.addEventListener("click", () => selectLine(problem.line));
    const path = problem.path ? `${problem.path}: ` : "";
    return create("li", { className: problem.severity }, place, ` ${problem.severity}: ${path}${problem.message}`);
  });
  element("problems").replaceChildren(create("ul", {}, ...items));
}

function selectLine(number) {
  const policy = element("policy");
  const before = policy.value.split("\n").slice(0, number - 1);
  const start = before.reduce((sum, line) => sum + line.length + 1, 0);
  const end = policy.value.indexOf("\n", start);
  policy.focus();
  policy.setSelectionRange(start, end < 0 ? policy.value.length : end);
  policy.scrollTop = (number - 5) * parseFloat(getComputedStyle(policy).lineHeight);
}

function showFailure(text) {
  showDecision("No decision", "");
  element("response-title").textContent = "Response";
  element("response").textContent = "";
  element("rendered-part").hidden = true;
  element("explanation").textContent = text;
}

function showDecision(text, kind) {
  const decision = element("decision");
  decision.className = kind;
  if (decision.textContent !== text) decision.textContent = text;
}

function showOutcome(outcome) {
  const rule = outcome.rule === null ? "" : ` by rule "${outcome.rule}"`;
  const { response, upstream } = outcome;
  if (outcome.decision === "allow") {
    const who = outcome.subject ? ` as "${outcome.subject}"` : "";
    const via = outcome.authenticator ? ` of "${outcome.authenticator}"` : "";
    const shadow = outcome.shadowed ? `, in shadow mode; without it: ${outcome.shadowed}` : "";
    showDecision(`Allowed${rule}${who}${via}${shadow}`, "allowed");
  } else {
    const detail = outcome.detail ? `/${outcome.detail}` : "";
    const reason = outcome.reason ? ` ${outcome.reason}${detail}` : "";
    const verb = outcome.decision === "deny" ? "denied" : "answered";
    showDecision(`${response?.status ?? "503"}${reason}: ${verb}${rule}`, outcome.decision === "deny" ? "denied" : "allowed");
  }
  const headers = (list) => list.map(([name, text]) => `${name}: ${text}\n`).join("");
  const isHtml = response?.headers.some(([name, text]) => name === "content-type" && text.startsWith("text/html")) ?? false;
  element("rendered-part").hidden = !isHtml;
  element("rendered").srcdoc = isHtml ? response.body : "";
  element("response-title").textContent = upstream ? "Request that the service gets" : "Response";
  if (upstream) {
    const removed = upstream.removed.map((name) => `${name} (removed)\n`).join("");
    element("response").textContent = `${upstream.method} ${upstream.path}\n${headers(upstream.headers)}${removed}`;
  } else if (response) {
    const grpc = response.grpc_status === undefined ? "" : `grpc-status: ${response.grpc_status}\n`;
    element("response").textContent = `HTTP/1.1 ${response.status}\n${headers(response.headers)}${grpc}\n${response.body}`;
  }
}

function showMatrix(matrix) {
  const part = element("matrix");
  if (!matrix) {
    part.replaceChildren(create("p", { className: "hint", textContent: "The policy is not valid." }));
    element("matrix-notes").replaceChildren();
    return;
  }
  const head = create("tr", {}, create("th", { scope: "col", textContent: "Rule and request" }),
    ...matrix.callers.map((caller) => create("th", { scope: "col", textContent: caller })));
  const rows = matrix.rows.map(({ rule, request: { method, host, path, peer }, decisions }) => {
    const address = `https://${host ?? "api.example.com"}${path}`;
    const attempt = create("button", { type: "button", textContent: `${method} ${host ?? ""}${path}${peer ? ` from ${peer}` : ""}` });
    attempt.addEventListener("click", () => {
      Object.entries({ method, url: address, ...(peer && { peer }) }).forEach(([id, text]) => (element(id).value = text));
      edited();
      element("results").scrollIntoView({ block: "nearest" });
    });
    const cells = decisions.map(({ allowed, text }) =>
      create("td", { className: allowed ? "allowed" : "denied", textContent: `${allowed ? "✓" : "✗"} ${text}` }));
    const name = create("div", { textContent: rule ?? "no rule" });
    return create("tr", {}, create("th", { scope: "row" }, name, attempt), ...cells);
  });
  const table = create("table", {}, create("thead", {}, head), create("tbody", {}, ...rows));
  part.replaceChildren(table);
  element("matrix-notes").replaceChildren(...matrix.without_request.map((rule) =>
    create("p", { className: "hint", textContent: `No request was found that selects rule "${rule}".` })));
}

// Examples

function fillExamples() {
  const groups = new Map();
  globalThis.EXAMPLES.pages.forEach(({ group, title }, at) => {
    if (!groups.has(group)) groups.set(group, create("optgroup", { label: group }));
    groups.get(group).append(create("option", { value: String(at), textContent: title }));
  });
  element("example").append(...groups.values());
}

/** Fills the page with an example, and returns its first request. */
function showExample(at) {
  const example = globalThis.EXAMPLES.pages[at];
  const cases = element("case");
  cases.replaceChildren();
  cases.disabled = !example;
  element("origin").hidden = !example;
  if (!example) return;
  element("origin-link").textContent = example.title;
  element("origin-link").href = example.page;
  element("policy").value = example.policy;
  element("environment").value = example.environment;
  element("environment-part").open = example.environment !== "";
  element("keys").value = "";
  cases.append(...example.requests.map(({ name }, number) =>
    create("option", { value: String(number), textContent: name })));
  return showCase(example, 0);
}

async function showCase(example, number) {
  const chosen = example.requests[number];
  for (const id of ["user", "password", "certificate", "headers", "as", "at"]) element(id).value = chosen[id] ?? "";
  element("method").value = chosen.method ?? "GET";
  element("url").value = chosen.url;
  element("peer").value = chosen.peer ?? "192.0.2.1";
  element("more").open = Boolean(chosen.as || chosen.certificate);
  if (chosen.token) {
    element("claims").value = JSON.stringify(chosen.token.claims, null, 1);
    await sign(chosen.token);
  }
  edited();
}

/** Signs the claims with a test key, and uses the token and the key. */
async function sign({ header = {}, location = "authorization" } = {}) {
  const status = element("sign-status");
  let claims;
  try {
    claims = Object.entries(JSON.parse(value("claims")));
  } catch (error) {
    status.textContent = `The claims are not JSON: ${error.message}`;
    return;
  }
  const algorithm = header.alg ?? value("algorithm");
  const given = { "key.pem": globalThis.EXAMPLES.keys[algorithm] };
  const options = ["-k", "key.pem", "--alg", algorithm, `--kid=${header.kid ?? "test"}`];
  if (header.typ && header.typ !== "JWT") options.push(`--typ=${header.typ}`);
  if (value("at").trim()) options.push(`--at=${value("at").trim()}`);
  options.push(...claims.map(([name, claim]) => `--claim=${name}=${JSON.stringify(claim)}`));
  const token = await runner.run(["token", ...options], given);
  const keys = await runner.run(["jwks", "key.pem", `--kid=${header.kid ?? "test"}`, `--alg=${algorithm}`], given);
  if (token.code !== 0 || keys.code !== 0) {
    status.textContent = token.errors + keys.errors;
    return;
  }
  const others = lines(value("headers")).filter((line) => !line.toLowerCase().startsWith(`${location.toLowerCase()}:`));
  const scheme = location.toLowerCase() === "authorization" ? "Bearer " : "";
  element("headers").value = [...others, `${location}: ${scheme}${token.output.trim()}`].join("\n");
  element("keys").value = keys.output;
  status.textContent = `Signed with ${algorithm}; the token is in the headers.`;
}

// The address

/** Packs the fields into text for a fragment. */
async function pack() {
  const state = Object.fromEntries(FIELDS.map((id) => [id, value(id)]));
  const stream = new Blob([JSON.stringify(state)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const text = btoa(Array.from(packed, (octet) => String.fromCharCode(octet)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}

async function share() {
  history.replaceState(null, "", `#${await pack()}`);
  element("link").value = location.href;
  element("link-part").hidden = false;
  let note = "The address of this page now contains everything on it.";
  try {
    await navigator.clipboard.writeText(location.href);
    note += " It is in the clipboard.";
  } catch {
    note += " Copy it from here.";
  }
  element("share-status").textContent = note;
}

/** After a change, the address no longer describes the page. */
function edited() {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  element("link-part").hidden = true;
  element("share-status").textContent = "";
  schedule();
}

async function begin() {
  fillExamples();
  const fragment = location.hash.slice(1);
  const named = globalThis.EXAMPLES.pages.findIndex(({ name }) => name === fragment);
  if (fragment && named < 0) {
    try {
      const state = await unpack(fragment);
      for (const id of FIELDS) {
        if (typeof state[id] === "string") element(id).value = state[id];
      }
      element("environment-part").open = value("environment") !== "";
      element("keys-part").open = value("keys") !== "";
      element("more").open = ["at", "certificate", "as"].some((id) => value(id) !== "");
    } catch {
      showFailure("The address of this page is damaged or incomplete.");
      return;
    }
    await update();
  } else {
    element("example").value = String(Math.max(named, 0));
    await showExample(Math.max(named, 0));
  }
}

element("form").addEventListener("submit", (event) => event.preventDefault());
for (const id of FIELDS) element(id).addEventListener("input", edited);
element("example").addEventListener("change", () => showExample(Number(value("example") || -1)));
element("case").addEventListener("change", () =>
  showCase(globalThis.EXAMPLES.pages[Number(value("example"))], Number(value("case"))));
element("sign").addEventListener("click", async () => {
  await sign();
  edited();
});
element("share").addEventListener("click", share);
begin();
