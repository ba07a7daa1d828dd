// Loads the tool and runs it in a worker. Browsers read no other file for a page that was opened from a disk, so the
// module is a script, compressed and in base64, and the worker has no script file of its own.

/** Runs the tool, one run after the other. */
class Runner {
  #start = null;
  #number = 0;
  #waiting = new Map();

  /** Runs the tool; resolves to its exit code, output and errors. */
  async run(args, files) {
    this.#start ??= this.#load();
    const send = await this.#start;
    return send({ args, files });
  }

  async #load() {
    await loadScript("module.js");
    const compressed = Uint8Array.from(atob(globalThis.TOOL_MODULE), (letter) => letter.charCodeAt(0));
    globalThis.TOOL_MODULE = null;
    const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const module = await WebAssembly.compile(await new Response(stream).arrayBuffer());
    const worker = startWorker();
    if (!worker) return async (input) => runTool(module, input);
    worker.onmessage = ({ data: { number, result } }) => {
      this.#waiting.get(number)(result);
      this.#waiting.delete(number);
    };
    worker.postMessage({ module });
    return (input) =>
      new Promise((resolve) => {
        this.#waiting.set(++this.#number, resolve);
        worker.postMessage({ number: this.#number, input });
      });
  }
}

function loadScript(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${source} cannot be loaded`));
    document.head.append(script);
  });
}

/** Returns a worker that runs the tool; null if the browser allows none here. */
function startWorker() {
  const source = `${runTool}
let module;
self.onmessage = ({ data }) => {
  if (data.module) module = data.module;
  else self.postMessage({ number: data.number, result: runTool(module, data.input) });
};`;
  try {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return new Worker(address);
  } catch {
    return null;
  }
}

globalThis.Runner = Runner;
