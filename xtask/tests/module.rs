//! The module's interface with its host, name by name: it has no other exports or imports.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

use std::collections::BTreeSet;
use std::path::PathBuf;

use wasmparser::{Parser, Payload};

/// The host calls into the VM for each of these.
const EXPORTS: &[&str] = &[
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// Imports: the ABI functions that the filter calls, and the WASI functions that the standard library needs for the
/// environment, randomness and the exit after a panic.
const IMPORTS: &[&str] = &[
    "env.proxy_call_foreign_function",
    "env.proxy_continue_stream",
    "env.proxy_define_metric",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_pairs",
    "env.proxy_get_log_level",
    "env.proxy_get_property",
    "env.proxy_http_call",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_send_local_response",
    "env.proxy_set_effective_context",
    "env.proxy_set_property",
    "env.proxy_set_tick_period_milliseconds",
    "wasi_snapshot_preview1.environ_get",
    "wasi_snapshot_preview1.environ_sizes_get",
    "wasi_snapshot_preview1.fd_write",
    "wasi_snapshot_preview1.proc_exit",
    "wasi_snapshot_preview1.random_get",
];

fn module() -> Vec<u8> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dist/authgate.wasm");
    let path = std::env::var_os("AUTHGATE_WASM").map_or(default, PathBuf::from);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make test`", path.display()))
}

/// Returns exports and imports, the latter with their module.
fn interface() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut exports, mut imports) = (BTreeSet::new(), BTreeSet::new());
    for payload in Parser::new(0).parse_all(&module()) {
        match payload.unwrap() {
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    imports.insert(format!("{}.{}", import.module, import.name));
                }
            }
            _ => {}
        }
    }
    (exports, imports)
}

#[test]
fn the_module_exports_what_is_used_and_nothing_else() {
    let expected: BTreeSet<String> = EXPORTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(interface().0, expected);
}

#[test]
fn the_module_imports_what_is_called_and_nothing_else() {
    let expected: BTreeSet<String> = IMPORTS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(interface().1, expected);
}

/// Each worker compiles the whole module.
#[test]
fn the_module_is_small() {
    const LIMIT: usize = 1_363_149; // 1.3 MiB
    let optimiser = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("wasm-opt/node_modules");
    if !optimiser.exists() && std::env::var_os("CI").is_none() {
        println!("skipped: without npm `make build` does not make the module as small as it can");
        return;
    }
    let bytes = module().len();
    assert!(bytes <= LIMIT, "{bytes} bytes");
}
