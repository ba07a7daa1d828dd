//! The filter: carries requests from the host to the core and decisions back. Compiled for wasm only.
//!
//! Nothing is decided here. What the host cannot do, or refuses, ends in a 503: a request never passes by accident.
//!
//! The SDK calls the host, allocates and logs. What the host calls is in [`entry`], straight on the ABI; the build step
//! (`xtask trim`) exports that in the SDK's place. A module without that step traps when it is loaded.

// The entry macro declares and calls the linker's constructors.
#![allow(unsafe_code, missing_docs)]

mod calls;
mod entry;
mod gates;
mod host;
mod metrics;
mod root;
mod signatures;
#[cfg(feature = "testing")]
mod trap;
#[cfg(feature = "testing")]
mod vectors;
mod waiting;

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    // The host drops what its own level does not want.
    proxy_wasm::set_log_level(LogLevel::Debug);
}}
