// Opens a page that asks for a password, as people encounter it, and prints the results as JSON. Screenshots are stored
// in a directory. tests/envoy/browser.rs runs it: node visit.mjs CHROMIUM URL USER PASSWORD DIRECTORY
import { chromium } from "playwright-core";

const [executablePath, url, username, password, directory] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/**
 * Visits the page, types the answers into its password prompts, and returns what the visitor sees. A null answer cancels
 * the prompt and follows the page's advice; the prompt after the last answer is cancelled. `options` are those of the
 * browser context.
 */
async function visit(name, options, answers = []) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const [asked, complaints] = [[], []];
  page.on("request", (request) => asked.push(request.url()));
  // The browser also reports a 401 response as an error.
  page.on("console", (message) => /status of 401/.test(message.text()) || complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const prompts = await answerPrompts(context, page, answers);
  let response = await page.goto(url);
  if (answers.includes(null)) {
    [response] = await Promise.all([page.waitForNavigation(), page.getByText("Try again", { exact: true }).click()]);
  }
  const seen = await page.evaluate(() => ({
    title: document.title,
    text: document.body.innerText,
    background: getComputedStyle(document.body).backgroundColor,
    colour: getComputedStyle(document.body).color,
    fontSize: parseFloat(getComputedStyle(document.body).fontSize),
    overflows: document.documentElement.scrollWidth > window.innerWidth,
    width: window.innerWidth,
  }));
  await page.screenshot({ path: `${directory}/${name}.png` });
  await context.close();
  return { status: response.status(), asked, complaints, prompts, ...seen };
}

/** Answers the password prompts, and returns the list of prompts. */
async function answerPrompts(context, page, answers) {
  const prompts = [];
  const session = await context.newCDPSession(page);
  session.on("Fetch.requestPaused", ({ requestId }) => session.send("Fetch.continueRequest", { requestId }));
  session.on("Fetch.authRequired", ({ requestId, authChallenge: { scheme, realm } }) => {
    const answer = answers[prompts.push({ scheme, realm }) - 1];
    const authChallengeResponse = answer ? { response: "ProvideCredentials", ...answer } : { response: "CancelAuth" };
    session.send("Fetch.continueWithAuth", { requestId, authChallengeResponse });
  });
  await session.send("Fetch.enable", { handleAuthRequests: true });
  return prompts;
}

const desk = { viewport: { width: 1024, height: 700 } };
const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const wrong = { username, password: `not ${password}` };
const report = {
  light: await visit("light", { ...desk, colorScheme: "light" }),
  dark: await visit("dark", { ...desk, colorScheme: "dark" }),
  phone: await visit("phone", { ...phone, colorScheme: "light" }),
  phoneDark: await visit("phone-dark", { ...phone, colorScheme: "dark" }),
  wrong: await visit("wrong", desk, [wrong]),
  right: await visit("right", desk, [wrong, { username, password }]),
  cancelled: await visit("cancelled", desk, [null, { username, password }]),
};
await browser.close();
console.log(JSON.stringify(report));
