// Runs a WebAssembly module for WASI preview 1, the command-line tool, with files in memory. There is no network, and
// nothing outlives a run. The page starts this function in a worker; tests start it in Node.

/**
 * Runs the tool once.
 *
 * @param {WebAssembly.Module} module the tool
 * @param {{args: (string | Uint8Array)[], files?: Object<string, string | Uint8Array>}} input arguments, and files by
 *   their name
 * @returns {{code: number, output: string, errors: string}} the exit code, standard output and standard error
 */
function runTool(module, { args, files = {} }) {
  const encoder = new TextEncoder();
  const bytes = (text) => (typeof text === "string" ? encoder.encode(text) : text);
  const contents = new Map(Object.entries(files).map(([name, text]) => [name, bytes(text)]));
  const argv = ["authgate", ...args].map(bytes);

  // Numbers of WASI preview 1.
  const [SUCCESS, BAD_DESCRIPTOR, INVALID, NO_ENTRY, UNSUPPORTED] = [0, 8, 28, 44, 52];
  const [UNKNOWN_TYPE, DIRECTORY, REGULAR_FILE] = [0, 3, 4];
  const ROOT = 3;
  const WRITING = 1 | 8; // to create, or to truncate

  /** Open descriptors: a list of written parts, a directory, or a file and a position in it. */
  const open = new Map([
    [0, { file: new Uint8Array(), at: 0 }],
    [1, { written: [] }],
    [2, { written: [] }],
    [ROOT, { isRoot: true }],
  ]);
  const streams = [open.get(1), open.get(2)];
  const exit = { code: 0 };
  let memory;
  const view = () => new DataView(memory.buffer);
  const slice = (at, length) => new Uint8Array(memory.buffer, at, length);

  /** Calls `use` with each buffer of a list, until it returns false; returns the sum of what it returns. */
  const eachBuffer = (list, count, use) => {
    let total = 0;
    for (let index = 0; index < count; index++) {
      const [at, length] = [view().getUint32(list + 8 * index, true), view().getUint32(list + 8 * index + 4, true)];
      const used = use(slice(at, length));
      total += used;
      if (used < length) break;
    }
    return total;
  };
  /** Writes the pointers to zero-terminated texts, and the texts. */
  const putTexts = (texts, pointers, at) => {
    texts.forEach((text, index) => {
      view().setUint32(pointers + 4 * index, at, true);
      slice(at, text.length).set(text);
      view().setUint8(at + text.length, 0);
      at += text.length + 1;
    });
    return SUCCESS;
  };
  const putSizes = (texts, count, size) => {
    view().setUint32(count, texts.length, true);
    view().setUint32(size, texts.reduce((sum, text) => sum + text.length + 1, 0), true);
    return SUCCESS;
  };
  const typeOf = (descriptor) => (descriptor.isRoot ? DIRECTORY : descriptor.file ? REGULAR_FILE : UNKNOWN_TYPE);
  const putStatus = (at, descriptor) => {
    slice(at, 64).fill(0);
    view().setUint8(at + 16, typeOf(descriptor));
    view().setBigUint64(at + 24, 1n, true);
    view().setBigUint64(at + 32, BigInt(descriptor.file?.length ?? 0), true);
    return SUCCESS;
  };
  const find = (at, length) => {
    const path = new TextDecoder().decode(slice(at, length)).replace(/^(\.?\/)+/, "");
    if (path === "" || path === ".") return { isRoot: true };
    return contents.has(path) ? { file: contents.get(path), at: 0 } : null;
  };

  const wasi = {
    args_sizes_get: (count, size) => putSizes(argv, count, size),
    args_get: (pointers, at) => putTexts(argv, pointers, at),
    environ_sizes_get: (count, size) => putSizes([], count, size),
    environ_get: () => SUCCESS,
    clock_time_get: (clock, precision, at) => {
      view().setBigUint64(at, BigInt(Date.now()) * 1000000n, true);
      return SUCCESS;
    },
    random_get: (at, length) => {
      const MOST = 65536; // at once
      for (let done = 0; done < length; done += MOST) {
        crypto.getRandomValues(slice(at + done, Math.min(MOST, length - done)));
      }
      return SUCCESS;
    },
    fd_prestat_get: (number, at) => {
      if (number !== ROOT) return BAD_DESCRIPTOR;
      view().setUint32(at, 0, true);
      view().setUint32(at + 4, 1, true);
      return SUCCESS;
    },
    fd_prestat_dir_name: (number, at, length) => {
      if (number !== ROOT || length < 1) return INVALID;
      view().setUint8(at, "/".charCodeAt(0));
      return SUCCESS;
    },
    fd_fdstat_get: (number, at) => {
      const descriptor = open.get(number);
      if (!descriptor) return BAD_DESCRIPTOR;
      slice(at, 24).fill(0);
      view().setUint8(at, typeOf(descriptor));
      view().setBigUint64(at + 8, ~0n & 0x1fffffffn, true);
      view().setBigUint64(at + 16, ~0n & 0x1fffffffn, true);
      return SUCCESS;
    },
    fd_filestat_get: (number, at) => (open.has(number) ? putStatus(at, open.get(number)) : BAD_DESCRIPTOR),
    path_filestat_get: (number, flags, path, length, at) => {
      const found = find(path, length);
      return found ? putStatus(at, found) : NO_ENTRY;
    },
    path_open: (number, flags, path, length, how, rights, inherited, settings, at) => {
      if (how & WRITING) return UNSUPPORTED;
      const found = find(path, length);
      if (!found) return NO_ENTRY;
      const next = Math.max(...open.keys()) + 1;
      open.set(next, found);
      view().setUint32(at, next, true);
      return SUCCESS;
    },
    fd_close: (number) => (open.delete(number) ? SUCCESS : BAD_DESCRIPTOR),
    fd_read: (number, list, count, at) => {
      const descriptor = open.get(number);
      if (!descriptor?.file) return BAD_DESCRIPTOR;
      const total = eachBuffer(list, count, (buffer) => {
        const part = descriptor.file.subarray(descriptor.at, descriptor.at + buffer.length);
        buffer.set(part);
        descriptor.at += part.length;
        return part.length;
      });
      view().setUint32(at, total, true);
      return SUCCESS;
    },
    fd_write: (number, list, count, at) => {
      const descriptor = open.get(number);
      if (!descriptor?.written) return BAD_DESCRIPTOR;
      const total = eachBuffer(list, count, (buffer) => {
        descriptor.written.push(buffer.slice());
        return buffer.length;
      });
      view().setUint32(at, total, true);
      return SUCCESS;
    },
    fd_seek: (number, offset, whence, at) => {
      const descriptor = open.get(number);
      if (!descriptor?.file) return BAD_DESCRIPTOR;
      const start = [0, descriptor.at, descriptor.file.length][whence];
      descriptor.at = start + Number(offset);
      view().setBigUint64(at, BigInt(descriptor.at), true);
      return SUCCESS;
    },
    proc_exit: (code) => {
      exit.code = code;
      throw exit;
    },
  };
  // Everything else is unsupported, which the tool reports.
  const imports = { wasi_snapshot_preview1: {} };
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    imports[from][name] = wasi[name] ?? (() => UNSUPPORTED);
  }
  const instance = new WebAssembly.Instance(module, imports);
  memory = instance.exports.memory;
  let failure = "";
  try {
    instance.exports._start();
  } catch (thrown) {
    if (thrown !== exit) {
      exit.code = 134; // as for a process that was aborted
      failure = `the tool failed: ${thrown}\n`;
    }
  }
  const [output, errors] = streams.map(({ written }) => {
    const decoder = new TextDecoder();
    return written.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  });
  return { code: exit.code, output, errors: errors + failure };
}

globalThis.runTool = runTool;
