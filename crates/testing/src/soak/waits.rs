//! Histogram of response times with buckets of 1 % width, so millions of values need little memory.

use std::time::Duration;

/// Ratio between consecutive buckets.
const STEP: f64 = 1.01;
/// Number of buckets: from a microsecond to about a minute.
const STEPS: usize = 1800;

/// Histogram of durations.
#[derive(Debug, Clone)]
pub struct Waits(Vec<u64>);

impl Default for Waits {
    fn default() -> Self {
        Self(vec![0; STEPS])
    }
}

impl Waits {
    /// Adds a duration.
    pub fn add(&mut self, wait: Duration) {
        let microseconds = (wait.as_secs_f64() * 1e6).max(1.0);
        let step = (microseconds.ln() / STEP.ln()) as usize;
        self.0[step.min(STEPS - 1)] += 1;
    }

    /// Adds the durations of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// Returns a quantile in milliseconds, accurate to 1 %. `part` is between 0 and 1.
    pub fn milliseconds(&self, part: f64) -> f64 {
        let wanted = (self.0.iter().sum::<u64>() as f64 * part).ceil() as u64;
        let mut counted = 0;
        let step = self.0.iter().position(|count| {
            counted += count;
            counted >= wanted.max(1)
        });
        step.map_or(0.0, |step| STEP.powi(step as i32 + 1) / 1e3)
    }
}
