// Repeats runs of the tool with the tool of the playground, and compares their output. crates/cli/tests/tool/replay.rs
// runs it: node replay.mjs MODULE RUNS.json
import { readFile } from "node:fs/promises";
import "../../docs/playground/wasi.js";

const [modulePath, runsPath] = process.argv.slice(2);
const module = await WebAssembly.compile(await readFile(modulePath));
const runs = JSON.parse(await readFile(runsPath, "utf8"));

/** Nonces are random. */
const stable = (text) => text.replace(/nonce=\\?"[^"\\]*/g, "nonce=\"…");

let different = 0;
for (const { args, files, output, errors, code } of runs) {
  const found = runTool(module, { args: args.map((argument) => Uint8Array.from(argument)), files });
  const expected = JSON.stringify([code, stable(output), stable(errors)]);
  const actual = JSON.stringify([found.code, stable(found.output), stable(found.errors)]);
  if (expected !== actual) {
    different += 1;
    const words = args.map((argument) => Buffer.from(argument).toString()).join(" ");
    if (different <= 10) console.log(`${words}\n  native: ${expected}\n  WebAssembly: ${actual}`);
  }
}
console.log(`${different} of ${runs.length} runs differ`);
process.exitCode = different === 0 && runs.length > 150 ? 0 : 1;
