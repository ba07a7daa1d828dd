// Checks pages of the built documentation site: they fit on a phone, and axe-core finds no violation. `make test-site`
// runs it: node site.mjs FOLDER PICTURES
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const PAGES = ["index.html", "docs/start/envoy.html", "docs/recipes/jwt-or-basic.html", "docs/providers/auth0.html",
  "docs/configuration.html", "docs/playground.html"];

const [folder, pictures] = process.argv.slice(2);

/** Returns a Chromium: `CHROMIUM`, or the first of its usual names that exists. */
function find() {
  for (const name of [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"]) {
    try {
      if (name) return execFileSync("sh", ["-c", 'command -v "$0"', name], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  return null;
}

const executablePath = find();
if (!executablePath) {
  console.error("skipped: this test needs Chromium");
  process.exit(process.env.CI ? 1 : 0);
}
const { brightness, desk, launch, overflows, phone, serve, violations } = await import("./serve.mjs");
mkdirSync(pictures, { recursive: true });
const server = await serve(folder);
const browser = await launch(executablePath);
const faults = [];
for (const [size, options] of Object.entries({ desktop: desk, phone })) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ ...options, colorScheme });
    const page = await context.newPage();
    const foreign = [];
    page.on("request", (request) => request.url().startsWith(server.address) || foreign.push(request.url()));
    for (const name of PAGES) {
      await page.goto(server.address + name);
      const fault = (text) => faults.push(`${name}, ${size}, ${colorScheme}: ${text}`);
      (await violations(page)).forEach(fault);
      if (await overflows(page)) fault("wider than the window");
      if (((await brightness(page)) < 0.5) !== (colorScheme === "dark")) fault("another colour scheme");
      await page.screenshot({ path: join(pictures, `${name.replaceAll("/", "-")}-${size}-${colorScheme}.png`) });
    }
    foreign.forEach((url) => faults.push(`requested: ${url}`));
    await context.close();
  }
}
await browser.close();
server.close();
faults.forEach((fault) => console.error(fault));
console.log(`${PAGES.length} pages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
