//! A test for equal durations of two classes of inputs, after dudect (Reparaz, Balasch and Verbauwhede, DATE 2017).

/// Number of thresholds at which measurements are cropped.
const CROPS: usize = 100;

/// Minimum number of measurements of a test.
const AT_LEAST: usize = 1_000;

/// Result at the threshold with the largest |t|.
#[derive(Clone, Copy)]
pub struct Finding {
    /// The statistic |t|.
    pub t: f64,
    /// Mean of the second class minus that of the first.
    pub difference: f64,
}

/// Returns the largest |t| of Welch's test over all measurements, and over those below each of [`CROPS`] thresholds.
/// Cropping removes calls that other activity of the machine slows down, in both classes alike. Such calls hide small
/// differences.
///
/// The thresholds are percentiles of both classes together, at `1 - 0.5^(10·i/100)`: few at the fast end, many at the
/// slow end, where the tail is.
pub fn compare(classes: &[Vec<f64>; 2]) -> Finding {
    let mut all: Vec<f64> = classes.concat();
    all.sort_by(f64::total_cmp);
    let percentiles = (1..=CROPS).map(|at| 1.0 - 0.5_f64.powf(10.0 * at as f64 / CROPS as f64));
    let thresholds = percentiles.map(|share| all[((all.len() - 1) as f64 * share) as usize]);
    let cropped = thresholds.map(|threshold| {
        classes.each_ref().map(|times| times.iter().copied().filter(|time| *time < threshold).collect())
    });
    let enough = |classes: &[Vec<f64>; 2]| classes.iter().all(|times| times.len() >= AT_LEAST);
    let findings = cropped.filter(enough).chain([classes.clone()]).map(|classes| finding(&classes));
    findings.fold(Finding { t: 0.0, difference: 0.0 }, |best, next| if next.t > best.t { next } else { best })
}

/// Computes Welch's t: the difference of the means divided by its standard error.
fn finding(classes: &[Vec<f64>; 2]) -> Finding {
    let [(mean_a, error_a), (mean_b, error_b)] =
        classes.each_ref().map(|times| mean_and_squared_error(times));
    let (difference, error) = (mean_b - mean_a, (error_a + error_b).sqrt());
    let t = if error > 0.0 { difference.abs() / error } else { 0.0 };
    Finding { t, difference }
}

fn mean_and_squared_error(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}
