//! The filter: carries requests from the host to the core and decisions back. Compiled for wasm only.
//!
//! Nothing is decided here. What the host cannot do, or refuses, ends in a 503: a request never passes by accident.

// The entry macro declares and calls the linker's constructors; it is the only `unsafe` of the crate.
#![allow(unsafe_code, missing_docs)]

mod host;
mod http;
mod root;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    // The host drops what its own level does not want.
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
