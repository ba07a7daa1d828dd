//! The callbacks of the proxy-wasm ABI, without a context object for each request or a copy of each header.

use super::proxy_wasm_host::ProxyWasmHost;
use super::{Action, Filter};

thread_local! {
    static FILTER: Filter<ProxyWasmHost> = const { Filter::new(ProxyWasmHost) };
}

proxy_wasm::main! {{
    // The host drops lines below its own level.
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Debug);
}}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_vm_start(_root: u32, _configuration_size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_configure(root: u32, _configuration_size: usize) -> bool {
    FILTER.with(|filter| filter.on_configure(root))
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_context_create(context: u32, root: u32) {
    FILTER.with(|filter| filter.on_context_create(context, root));
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_headers(stream: u32, _count: usize, end_of_stream: u32) -> u32 {
    number(FILTER.with(|filter| filter.on_request_headers(stream, end_of_stream != 0)))
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_body(stream: u32, _size: usize, _end_of_stream: u32) -> u32 {
    number(FILTER.with(|filter| filter.on_request_body(stream)))
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_request_trailers(stream: u32, _count: usize) -> u32 {
    number(FILTER.with(|filter| filter.on_request_trailers(stream)))
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_http_call_response(
    root: u32,
    number: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    FILTER.with(|filter| filter.on_http_call_response(root, number, headers, body_size));
}

#[unsafe(no_mangle)]
extern "C" fn authgate_on_tick(root: u32) {
    FILTER.with(|filter| filter.on_tick(root));
}

fn number(action: Action) -> u32 {
    match action {
        Action::Continue => 0,
        Action::Pause => 1,
    }
}
