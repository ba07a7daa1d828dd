//! Bounds how much is logged of what clients can bring about.

/// Admits so many lines between two ticks, and counts the others.
#[derive(Debug)]
pub struct LogLimit {
    most: u32,
    admitted: u32,
    suppressed: u64,
}

impl LogLimit {
    /// At most so many lines between two ticks.
    pub fn new(most: u32) -> Self {
        LogLimit { most, admitted: 0, suppressed: 0 }
    }

    /// Whether one more line may be written.
    pub fn admits(&mut self) -> bool {
        let admits = self.admitted < self.most;
        if admits {
            self.admitted += 1;
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
        }
        admits
    }

    /// Starts anew, and says how many lines were not written; `None` where all were.
    pub fn tick(&mut self) -> Option<u64> {
        self.admitted = 0;
        Some(std::mem::take(&mut self.suppressed)).filter(|suppressed| *suppressed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_admitted_up_to_the_limit_and_the_others_counted() {
        let mut limit = LogLimit::new(3);
        let admitted = (0..10).filter(|_| limit.admits()).count();
        assert_eq!((admitted, limit.tick()), (3, Some(7)));
        assert_eq!(limit.tick(), None);
        assert!(limit.admits());
        assert_eq!(limit.tick(), None);
    }
}
