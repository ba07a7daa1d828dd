//! Rate limit for log lines that clients can cause.

use std::time::Duration;

use authgate::timestamp::NumericDate;

/// Allows a number of lines a second, and counts the suppressed ones.
#[derive(Debug)]
pub struct LogLimit {
    most: u32,
    admitted: u32,
    suppressed: u64,
    /// Start of the current second.
    since: NumericDate,
}

impl LogLimit {
    /// Allows at most this many lines a second.
    pub fn new(most: u32) -> Self {
        LogLimit { most, admitted: 0, suppressed: 0, since: NumericDate::EPOCH }
    }

    /// True if another line may be written.
    pub fn admits(&mut self) -> bool {
        let admits = self.admitted < self.most;
        if admits {
            self.admitted += 1;
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
        }
        admits
    }

    /// Starts a new second if the last one is over. Returns the number of lines suppressed in the last one; `None` if
    /// there were none.
    pub fn tick(&mut self, now: NumericDate) -> Option<u64> {
        // Ticks at one-second intervals come slightly early or late. A clock that was set back starts a new second.
        if now.checked_since(self.since).is_some_and(|passed| passed < Duration::from_millis(900)) {
            return None;
        }
        self.since = now;
        self.admitted = 0;
        Some(std::mem::take(&mut self.suppressed)).filter(|suppressed| *suppressed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_admitted_up_to_the_limit_and_the_others_counted() {
        let at = |seconds| NumericDate::from_seconds(seconds).unwrap();
        let mut limit = LogLimit::new(3);
        assert_eq!(limit.tick(at(100.0)), None);
        let admitted = (0..10).filter(|_| limit.admits()).count();
        // Half way through the second.
        assert_eq!((admitted, limit.tick(at(100.25)), limit.admits()), (3, None, false));
        assert_eq!(limit.tick(at(101.0)), Some(8));
        assert_eq!(limit.tick(at(102.0)), None);
        assert!(limit.admits());
        assert_eq!(limit.tick(at(50.0)), None);
        assert!(limit.admits());
    }
}
