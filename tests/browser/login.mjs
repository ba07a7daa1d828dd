// Logs in at an identity provider as a person does, and prints the results as JSON. tests/envoy/login.rs runs it:
// node login.mjs CHROMIUM ORIGIN
import { chromium } from "playwright-core";

const [executablePath, origin] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const context = await browser.newContext();
const page = await context.newPage();

const text = () => page.evaluate(() => document.body.innerText.trim());

/** Sends a form to the service, from a page of another site or of its own. */
async function post(from) {
  const action = `${origin}/orders`;
  await page.route(`${from}/form`, (route) =>
    route.fulfill({ contentType: "text/html", body: `<form method="post" action="${action}"><button>Send</button></form>` }),
  );
  await page.goto(`${from}/form`);
  const [response] = await Promise.all([page.waitForNavigation(), page.click("button")]);
  return response.status();
}

const result = {};
await page.goto(`${origin}/orders`);
result.asked = new URL(page.url()).pathname.split("/")[1];
await page.fill("input[name=login]", "ada");
await page.fill("input[name=password]", "any");
await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
// Consent.
await Promise.all([page.waitForURL(`${origin}/**`), page.click("button[type=submit]")]);
result.seen = await text();
result.crossSite = await post("http://evil.example");
result.sameSite = await post(origin);
const cookies = (await context.cookies(origin)).filter(({ name }) => name !== "_session"); // the provider's
result.cookies = cookies.map(({ name, httpOnly, secure }) => ({ name, httpOnly, secure }));
// Over plain HTTP the browser keeps cookies that are `Secure`, so this looks at the response.
const logout = await context.request.get(`${origin}/logout`, { maxRedirects: 0 });
const set = logout.headersArray().filter(({ name }) => name.toLowerCase() === "set-cookie");
result.deleted = set.filter(({ value }) => value.includes("01 Jan 1970")).map(({ value }) => value.split("=")[0]);
console.log(JSON.stringify(result));
await browser.close();
