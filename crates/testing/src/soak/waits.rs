//! How long answers took: counted in steps of a hundredth, so that millions take no room.

use std::time::Duration;

/// Each step is longer than the last by this.
const STEP: f64 = 1.01;
/// From a microsecond to about a minute.
const STEPS: usize = 1800;

/// Durations, counted.
#[derive(Debug, Clone)]
pub struct Waits(Vec<u64>);

impl Default for Waits {
    fn default() -> Self {
        Self(vec![0; STEPS])
    }
}

impl Waits {
    /// One more.
    pub fn add(&mut self, wait: Duration) {
        let microseconds = (wait.as_secs_f64() * 1e6).max(1.0);
        let step = (microseconds.ln() / STEP.ln()) as usize;
        self.0[step.min(STEPS - 1)] += 1;
    }

    /// Those of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// So many are not longer than this, in milliseconds, to a hundredth: `part` is from 0 to 1.
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
