//! Exports the callbacks that the filter uses, and removes unreachable code.
//!
//! A host calls into the VM for every callback that a module exports, which costs more than most of them do, and the
//! SDK exports the whole ABI. The filter has the callbacks that it needs, `authgate_on_…`. They are exported under the
//! ABI's names in place of the SDK's, and code that is no longer reachable is removed. So are imports that are only in
//! tables and never called.

use std::error::Error;
use std::path::Path;

use walrus::Module;

/// Exports of the module, by name.
const EXPORTS: &[&str] = &[
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_http_call_response",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
];

/// Imports that only the SDK's own root context calls. It is only in tables and never created, so a host that does not
/// provide these, or restricts the module, still provides everything that is needed.
const NEVER_CALLED: &[&str] = &[
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_header_map_value",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_register_shared_queue",
    "proxy_resolve_shared_queue",
    "proxy_set_shared_data",
];

/// Prefix of the filter's own callbacks.
const OURS: &str = "authgate_on_";

/// Trims the module in `input` and writes it to `output`.
///
/// # Errors
/// If a file cannot be read or written, or the module is not as expected.
pub fn file(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let module = std::fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let trimmed = trim(&module)?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(output, trimmed).map_err(|error| format!("{}: {error}", output.display()))?)
}

fn trim(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut module = Module::from_buffer(module)?;
    let mut kept = Vec::new();
    for name in EXPORTS {
        let ours = name.strip_prefix("proxy_on_").map(|callback| format!("{OURS}{callback}"));
        let id =
            |name: &str| module.exports.iter().find(|export| export.name == name).map(|export| export.id());
        let export = ours.as_deref().and_then(id).or_else(|| id(name));
        kept.push((*name, export.ok_or_else(|| format!("the module has no {name}"))?));
    }
    let dropped: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !kept.iter().any(|(_, id)| *id == export.id()))
        .map(|export| (export.id(), export.name.clone()))
        .collect();
    for (id, name) in dropped {
        // A callback of the filter that is not exported would never be called.
        if name.starts_with(OURS) {
            return Err(format!("{name} is exported under no name of the ABI").into());
        }
        module.exports.delete(id);
    }
    for (name, id) in kept {
        module.exports.get_mut(id).name = name.to_owned();
    }
    walrus::passes::gc::run(&mut module);
    for name in NEVER_CALLED {
        let Some(import) = module.imports.get_func("env", name).ok() else { continue };
        module.replace_imported_func(import, |(body, _)| {
            body.unreachable();
        })?;
    }
    Ok(module.emit_wasm())
}
