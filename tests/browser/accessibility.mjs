// Checks pages of the documentation site with axe-core, in light and dark colours, and that no page is wider than a phone.
// `make check-site` runs it: node accessibility.mjs CHROMIUM SITE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, site] = process.argv.slice(2);
// One of each kind. The reference is the largest; it takes minutes.
const PAGES = ["index", "docs/start", "docs/start/envoy", "docs/providers/keycloak", "docs/recipes/cors", "docs/operations/alerts",
  "docs/playground"];

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
const faults = [];
for (const colorScheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme });
  const page = await context.newPage();
  for (const name of PAGES) {
    await page.goto(`file://${site}/${name}.html`);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    if (passes.length < 10) faults.push(`${name}: only ${passes.length} rules apply`);
    for (const { id, help, nodes } of violations) {
      const detail = nodes[0].any[0]?.message ?? "";
      faults.push(`${name}, ${colorScheme}: ${id}: ${help}, ${nodes.length} times: ${nodes[0].html.slice(0, 200)} ${detail}`);
    }
  }
  await context.close();
}
const phone = await browser.newContext({ viewport: { width: 360, height: 740 }, isMobile: true });
const page = await phone.newPage();
for (const name of PAGES) {
  await page.goto(`file://${site}/${name}.html`);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  if (width > 360) faults.push(`${name}: ${width} pixels wide on a phone`);
}
await browser.close();
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
console.log(`check-site: ${PAGES.length} pages, light, dark and on a phone`);
