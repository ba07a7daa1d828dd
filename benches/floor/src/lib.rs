//! The floor set by the host: a filter directly on the ABI that makes host calls and does nothing else.
//!
//! Its configuration is a list of letters, the calls for each request: `m` reads the header map, `c` reads the clock,
//! `v` verifies a signature, `r` removes a header, `w` writes one. Without letters, only the two calls into the VM are
//! measured. The arguments of `v` follow after a space, in hexadecimal.

use std::cell::RefCell;
use std::ptr::null_mut;

const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        most: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

thread_local! {
    static CALLS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static QUESTION: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(vec![0; size].into_boxed_slice()).cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_root: u32, size: usize) -> u32 {
    let (mut data, mut read) = (null_mut(), 0);
    // SAFETY: both pointers are valid for the call.
    unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &mut data, &mut read) };
    let configuration = owned(data, read);
    let mut parts = configuration.splitn(2, |byte| *byte == b' ');
    CALLS.set(parts.next().unwrap_or_default().to_vec());
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    QUESTION.set(parts.next().unwrap_or_default().chunks(2).filter_map(digits).collect());
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_stream: u32, _count: usize, _end_of_stream: u32) -> u32 {
    CALLS.with_borrow(|calls| calls.iter().for_each(call));
    0
}

fn call(letter: &u8) {
    // SAFETY: all pointers are valid for each call.
    unsafe {
        match letter {
            b'm' => {
                let (mut data, mut size) = (null_mut(), 0);
                proxy_get_header_map_pairs(REQUEST_HEADERS, &mut data, &mut size);
                std::hint::black_box(owned(data, size));
            }
            b'c' => {
                let mut time = 0;
                proxy_get_current_time_nanoseconds(&mut time);
                std::hint::black_box(time);
            }
            b'v' => QUESTION.with_borrow(|question| {
                let name = "verify_signature";
                let (arguments, arguments_size) = (question.as_ptr(), question.len());
                let (mut data, mut size) = (null_mut(), 0);
                proxy_call_foreign_function(
                    name.as_ptr(),
                    name.len(),
                    arguments,
                    arguments_size,
                    &mut data,
                    &mut size,
                );
                // A floor that rejects the signature would look fast, so any result other than `{1: true}` traps.
                assert!(owned(data, size).starts_with(&[8, 1]), "the signature is good");
            }),
            b'r' => {
                let name = "authorization";
                proxy_remove_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len());
            }
            _ => {
                let (name, value) = ("x-auth-user", "alice");
                let (name, name_size) = (name.as_ptr(), name.len());
                proxy_replace_header_map_value(REQUEST_HEADERS, name, name_size, value.as_ptr(), value.len());
            }
        }
    }
}

/// Returns the bytes that the host wrote to memory from `proxy_on_memory_allocate`.
fn owned(data: *mut u8, size: usize) -> Vec<u8> {
    // SAFETY: that memory is a `Vec<u8>` of this length.
    if data.is_null() { Vec::new() } else { unsafe { Vec::from_raw_parts(data, size, size) } }
}
