//! Denied requests to which the host sends no reply.

use std::collections::BTreeSet;

/// Maximum number of streams that are recorded.
const MAX_STREAMS: usize = 1024;

/// Streams whose local reply the host refused to send, because it restricts the functions that a module may call.
///
/// Their header sections stay paused. A host may deliver content nevertheless, and continues the request if the content
/// passes (Envoy 1.40.0 with `allow_on_headers_stop_iteration`: `tests/envoy/failure.rs`), so the content is paused
/// too.
pub struct UnansweredStreams {
    streams: BTreeSet<u32>,
    /// True if there were more than [`MAX_STREAMS`] streams. From then on, every stream counts as unanswered.
    has_overflowed: bool,
}

impl UnansweredStreams {
    /// Creates an empty set.
    pub const fn new() -> Self {
        UnansweredStreams { streams: BTreeSet::new(), has_overflowed: false }
    }

    /// Adds a stream.
    pub fn insert(&mut self, stream: u32) {
        if self.streams.len() < MAX_STREAMS {
            self.streams.insert(stream);
        } else {
            self.has_overflowed = true;
        }
    }

    /// Removes the number of an earlier stream, because a new stream has it.
    pub fn forget(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// True if the stream is unanswered.
    pub fn contains(&self, stream: u32) -> bool {
        self.has_overflowed || self.streams.contains(&stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_can_be_used_again_and_what_does_not_fit_holds_all_back() {
        let mut unanswered = UnansweredStreams::new();
        assert!(!unanswered.contains(1));
        for stream in 0..MAX_STREAMS as u32 {
            unanswered.insert(stream);
        }
        assert!(unanswered.contains(0) && !unanswered.contains(9999));
        unanswered.forget(7);
        assert!(!unanswered.contains(7));
        unanswered.insert(8000);
        assert!(unanswered.contains(8000) && !unanswered.contains(7));
        unanswered.insert(8001);
        assert!(unanswered.contains(8001) && unanswered.contains(7));
    }
}
