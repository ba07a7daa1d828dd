//! Build steps that cargo does not support. `make` calls them.
//!
//! ```text
//! cargo run -p xtask -- trim IN.wasm OUT.wasm
//! cargo run -p xtask -- oci IN.wasm OUT-FOLDER SECONDS-SINCE-1970 REVISION
//! ```

mod oci;
mod trim;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["trim", input, output] => trim::file(input.as_ref(), output.as_ref()),
        ["oci", module, folder, created, revision] => {
            oci::pack(module.as_ref(), folder.as_ref(), created, revision).map(|digest| println!("{digest}"))
        }
        _ => {
            Err("usage: xtask trim IN.wasm OUT.wasm | oci IN.wasm OUT-FOLDER SECONDS-SINCE-1970 REVISION"
                .into())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
