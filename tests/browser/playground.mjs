// Uses the playground as people do. tests/playground.rs runs it: node playground.mjs CHROMIUM FOLDER PICTURES
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brightness, desk, launch, overflows, phone, serve, violations } from "./serve.mjs";

const [executablePath, folder, pictures] = process.argv.slice(2);
const TIMEOUT = 60_000;
const POLICY = `authenticators:
  staff: {basic: {users: {alice: "$2y$10$pVxX3cfLGfiwx3a7gnoUy..YvJUt07EApt/wrxe0zZj7AhmjcFtbO"}}}
rules:
  - {name: health, match: {path: /healthz}, public: true}
  - {name: rest, require: staff}
`;

const server = await serve(folder);
const browser = await launch(executablePath);

/** Opens the playground in a context of its own. */
async function open(address = server.address, options = desk) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const [asked, complaints] = [[], []];
  context.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  return { context, page, asked, complaints };
}

/** Waits until the decision matches. */
async function decides(page, expected) {
  const has = ([source]) => new RegExp(source).test(document.getElementById("decision").textContent);
  await page.waitForFunction(has, [expected.source]).catch(async () => {
    assert.match(await page.textContent("#decision"), expected);
  });
}

/** Waits until the tool has seen everything that was typed. */
async function settled(page) {
  await page.waitForTimeout(400);
  await page.waitForFunction(() => !document.getElementById("results").hasAttribute("aria-busy"));
}

const scenarios = {
  async "a policy and a request are typed, first without and then with a password"() {
    const { context, page, asked, complaints } = await open();
    await decides(page, /401 missing_credentials: denied by rule "rest"/);
    const loaded = asked.length;
    await page.fill("#policy", POLICY.replace("name: rest", "name: everything"));
    await page.fill("#environment", "");
    await page.fill("#url", "https://api.example.com/orders");
    await decides(page, /^401 missing_credentials: denied by rule "everything"$/);
    assert.match(await page.textContent("#response"), /^HTTP\/1.1 401\nwww-authenticate: Basic realm="restricted"/);
    const shown = page.frameLocator("#rendered").getByRole("heading", { name: "Please sign in" });
    await shown.waitFor();
    await page.fill("#user", "alice");
    await page.fill("#password", "a guess");
    await decides(page, /^401 invalid_credentials/);
    assert.match(await page.textContent("#explanation"), /✗ credential: invalid_credentials/);
    await page.fill("#password", "wonderland");
    await decides(page, /^Allowed by rule "everything" as "alice" of "staff"$/);
    assert.doesNotMatch(await page.textContent("#response"), /^authorization:/m);
    const cells = page.locator("#matrix tbody tr").nth(1).locator("td");
    assert.deepEqual(await cells.allTextContents(), ["✗ 401 missing_credentials", "✗ 401 unsupported_scheme", "✓ allowed"]);
    await page.getByRole("button", { name: "GET /healthz", exact: true }).click();
    await decides(page, /^Allowed by rule "health"$/);
    assert.deepEqual([asked.slice(loaded), complaints], [[], []], "nothing is requested, and nothing fails");
    assert.ok(asked.every((url) => url.replace(/^blob:/, "").startsWith(server.address)), String(asked));
    await context.close();
  },

  async "a mistake is shown with its line"() {
    const { context, page } = await open();
    await page.fill("#policy", POLICY.replace("match:", "mach:"));
    const place = page.locator("#problems .error button");
    await place.waitFor();
    assert.match(await page.textContent("#problems .error"), /^line 4 error: rules\[0\].mach: unknown field/);
    await place.click();
    const chosen = await page.evaluate(() => {
      const { value, selectionStart, selectionEnd } = document.activeElement;
      return value.slice(selectionStart, selectionEnd);
    });
    assert.match(chosen, /^ {2}- \{name: health/);
    await decides(page, /^No decision$/);
    await context.close();
  },

  async "secrets are only in the address after Share, and nowhere after that"() {
    const { context, page } = await open();
    await page.fill("#policy", POLICY);
    await page.fill("#user", "alice");
    await page.fill("#password", "wonderland");
    await decides(page, /^Allowed by rule "rest"/);
    const kept = () =>
      page.evaluate(() => [location.hash, localStorage.length, sessionStorage.length, document.cookie, history.state]);
    assert.deepEqual(await kept(), ["", 0, 0, "", null]);
    await page.getByRole("button", { name: "Share" }).click();
    await page.waitForFunction(() => document.getElementById("link").value !== "");
    const address = await page.inputValue("#link");
    assert.match(address, /#[A-Za-z0-9_-]{100,}$/);
    assert.equal(page.url(), address);
    await page.reload();
    await decides(page, /^Allowed by rule "rest" as "alice"/);
    assert.deepEqual([await page.inputValue("#policy"), await page.inputValue("#password")], [POLICY, "wonderland"]);
    await page.fill("#password", "another");
    assert.deepEqual(await kept(), ["", 0, 0, "", null]);
    await page.goto("about:blank");
    await page.goto(`${address.slice(0, -9)}`);
    await page.waitForFunction(() => /damaged/.test(document.getElementById("explanation").textContent));
    await context.close();
  },

  async "the policy of the page lets no request out"() {
    const { context, page } = await open();
    await decides(page, /401/);
    const results = await page.evaluate(async () => {
      const image = (source) => new Promise((resolve) => {
        const created = new Image();
        created.onload = () => resolve("sent");
        created.onerror = () => resolve("refused");
        created.src = source;
      });
      const fetched = (source) => fetch(source).then(() => "sent", () => "refused");
      return [await fetched("page.js"), await fetched("https://example.com/"), await image("style.css")];
    });
    assert.deepEqual(results, ["refused", "refused", "refused"]);
    await context.close();
  },

  async "every example runs, and the token of a provider is accepted"() {
    const { context, page, complaints } = await open();
    await decides(page, /401/);
    const examples = await page.evaluate(() => EXAMPLES.pages.map(({ name, group }) => ({ name, group })));
    for (const [at, { name, group }] of examples.entries()) {
      await page.selectOption("#example", String(at));
      await settled(page);
      const decision = await page.textContent("#decision");
      assert.match(decision, group === "Recipes" ? /^Allowed|^\d{3} / : /^Allowed by rule/, name);
      assert.equal(await page.locator("#problems .error").count(), 0, name);
    }
    assert.ok(examples.length >= 20);
    assert.deepEqual(complaints, []);
    await context.close();
  },

  async "the page is used with the keyboard alone"() {
    const { context, page } = await open();
    await decides(page, /401/);
    const reached = [];
    for (let count = 0; count < 60; count++) {
      await page.keyboard.press("Tab");
      const focus = await page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return { id: document.activeElement.id, tag: document.activeElement.tagName, outline: `${outlineStyle} ${outlineWidth}` };
      });
      if (focus.tag === "BODY") break;
      if (focus.tag !== "IFRAME") assert.equal(focus.outline, "solid 3px", JSON.stringify(focus));
      reached.push(focus.id);
      if (focus.id === "url") {
        await page.keyboard.press("Control+A");
        await page.keyboard.type("https://api.example.com/healthz");
        // The result, which is next, is not there while it is computed.
        await decides(page, /^Allowed by rule "health"$/);
      }
      if (focus.id === "share") {
        await page.keyboard.press("Enter");
        await page.locator("#link").waitFor();
      }
    }
    await decides(page, /^Allowed by rule "health"$/);
    for (const id of ["example", "case", "policy", "method", "url", "user", "password", "headers", "share", "link",
      "response", "explanation", "matrix"]) {
      assert.ok(reached.includes(id), `${id} is not reached: ${reached}`);
    }
    await context.close();
  },

  async "the page works from a disk"() {
    const { context, page, asked } = await open(pathToFileURL(join(folder, "index.html")).href);
    await decides(page, /401 missing_credentials/);
    assert.ok(asked.every((url) => /^(file|blob):/.test(url)), String(asked));
    await context.close();
  },

  async "desktop and phone, light and dark: readable, and accessible"() {
    for (const [size, options] of Object.entries({ desktop: desk, phone })) {
      for (const colorScheme of ["light", "dark"]) {
        const { context, page } = await open(server.address, { ...options, colorScheme });
        await decides(page, /401/);
        await settled(page);
        await page.screenshot({ path: join(pictures, `${size}-${colorScheme}.png`), fullPage: true });
        assert.equal(await overflows(page), false, `${size} is too wide`);
        assert.equal((await brightness(page)) < 0.5, colorScheme === "dark");
        for (const part of ["more", "token-part", "keys-part"]) await page.locator(`#${part} > summary`).click();
        await page.fill("#policy", "rules: [{match: {prefx: /a}}]");
        await page.locator("#problems .error").waitFor();
        assert.deepEqual(await violations(page), [], `${size}, ${colorScheme}, with an error`);
        await page.fill("#policy", POLICY);
        await page.fill("#user", "alice");
        await page.fill("#password", "wonderland");
        await decides(page, /^Allowed/);
        await page.getByRole("button", { name: "Share" }).click();
        await settled(page);
        assert.equal(await overflows(page), false, `${size} is too wide`);
        assert.deepEqual(await violations(page), [], `${size}, ${colorScheme}, allowed`);
        await page.screenshot({ path: join(pictures, `${size}-${colorScheme}-open.png`), fullPage: true });
        await context.close();
      }
    }
  },
};

let failed = 0;
for (const [name, scenario] of Object.entries(scenarios)) {
  if (process.env.CASE && !name.includes(process.env.CASE)) continue;
  const start = performance.now();
  try {
    await scenario();
    console.log(`ok ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.error(`FAIL ${name}: ${error.stack ?? error}`);
  }
}
await browser.close();
server.close();
process.exitCode = failed === 0 ? 0 : 1;
