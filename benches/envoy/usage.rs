//! Resource usage of a process, as reported by Linux.

use std::fs;

/// Returns the CPU time of all threads of a process, in nanoseconds.
pub fn cpu_nanoseconds(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of Envoy");
    tasks
        .flatten()
        // A thread may end in between; its CPU time is lost, but small.
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Returns the resident memory of a process, in bytes.
pub fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the state of Envoy");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Returns the memory of the largest VM in a process, in bytes.
///
/// Envoy does not report it. V8 reserves gigabytes for each WebAssembly memory, and makes as much of its start
/// accessible as the module has requested: the memory is a writable mapping with a huge inaccessible one immediately
/// after it.
pub fn largest_vm(pid: u32) -> u64 {
    const RESERVED: u64 = 1 << 30;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the mappings of Envoy");
    let mut largest = 0;
    let mut open = 0..0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-')).expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let (start, end) = (address(range.0), address(range.1));
        match words.next() {
            Some("rw-p") => open = start..end,
            Some("---p") if open.end == start && end - start > RESERVED => {
                largest = largest.max(open.end - open.start);
            }
            _ => {}
        }
    }
    assert!(largest > 0, "no memory of a VM was found");
    largest
}
