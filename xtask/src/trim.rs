//! Exports what the filter uses, and nothing else.
//!
//! A host enters the VM for every callback that a module exports, which costs more than most of them do, and the SDK
//! exports all of the ABI. And where the filter has a callback of its own, `authgate_on_…`, that one is exported under
//! the ABI's name in place of the SDK's.

use std::error::Error;
use std::path::Path;

use wasm_encoder::{ExportSection, Module, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

/// What the module exports, under these names.
const EXPORTS: &[&str] = &[
    "memory",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
];

/// The prefix of the filter's own callbacks.
const OURS: &str = "authgate_on_";

/// Trims the module in `input` into `output`.
pub fn file(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let module = std::fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let trimmed = module_with_own_exports(&module)?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(output, trimmed).map_err(|error| format!("{}: {error}", output.display()))?)
}

fn module_with_own_exports(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut trimmed = Module::new();
    let mut exported = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ExportSection(reader) => {
                let exports: Vec<_> = reader.into_iter().collect::<Result<_, _>>()?;
                let own = |name: &str| {
                    let callback = name.strip_prefix("proxy_on_")?;
                    let own = format!("{OURS}{callback}");
                    exports.iter().find(|export| export.name == own)
                };
                let mut section = ExportSection::new();
                for name in EXPORTS {
                    let export = own(name).or_else(|| exports.iter().find(|export| export.name == *name));
                    let export = export.ok_or_else(|| format!("the module has no {name}"))?;
                    section.export(name, kind(export.kind)?, export.index);
                    exported.push(export.name);
                }
                // A callback of ours that is not exported would never be called.
                if let Some(lost) = exports
                    .iter()
                    .find(|export| export.name.starts_with(OURS) && !exported.contains(&export.name))
                {
                    return Err(format!("{} is exported under no name of the ABI", lost.name).into());
                }
                trimmed.section(&section);
            }
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                    let data = module.get(range).ok_or("a section beyond the end of the module")?;
                    trimmed.section(&RawSection { id, data });
                }
            }
        }
    }
    if exported.is_empty() {
        return Err("the module exports nothing".into());
    }
    Ok(trimmed.finish())
}

fn kind(kind: ExternalKind) -> Result<wasm_encoder::ExportKind, Box<dyn Error>> {
    match kind {
        ExternalKind::Func => Ok(wasm_encoder::ExportKind::Func),
        ExternalKind::Memory => Ok(wasm_encoder::ExportKind::Memory),
        other => Err(format!("an export of another kind than function or memory: {other:?}").into()),
    }
}
