//! What a process has used, as Linux tells it.

use std::fs;

/// Nanoseconds that all threads of a process have been on a CPU.
pub fn cpu_nanoseconds(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of Envoy");
    tasks
        .flatten()
        // A thread may end in between; it takes its time along, which is little.
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Octets of a process that are in memory.
pub fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the state of Envoy");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// Octets of memory of the largest VM in a process.
///
/// Envoy does not tell, but V8 reserves gigabytes for each memory of WebAssembly and opens as much from its start as the
/// module has asked for: the memory is a writable mapping with a huge closed one right behind it.
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
