//! Schedule of key fetches.

use std::time::Duration;

/// The shortest time between two fetches that `max-age` can set.
const LEAST_MAX_AGE: Duration = Duration::from_secs(30);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The random part of a pause, so that workers and replicas do not fetch all at once.
const JITTER: f64 = 0.2;

/// Returns the time for which fetched keys are fresh: the configured interval, or less if the response's
/// `Cache-Control` ([RFC 9111 §5.2.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1)) says so.
pub fn freshness(refresh: Duration, cache_control: Option<&[u8]>) -> Duration {
    max_age(cache_control).map_or(refresh, |max_age| max_age.max(LEAST_MAX_AGE).min(refresh))
}

/// Returns the pause before the next fetch, for keys with this freshness. `jitter` is from 0 up to 1.
pub fn until_refresh(freshness: Duration, jitter: f64) -> Duration {
    shortened(freshness, jitter)
}

/// Returns the pause after this many consecutive failures: one second, doubled each time.
pub fn after_failures(failures: u32, refresh: Duration, jitter: f64) -> Duration {
    let doubled = Duration::from_secs(1 << failures.saturating_sub(1).min(30));
    shortened(doubled.min(LONGEST_PAUSE).min(refresh), jitter)
}

fn shortened(pause: Duration, jitter: f64) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * (1.0 - JITTER * jitter)).unwrap_or(pause)
}

fn max_age(cache_control: Option<&[u8]>) -> Option<Duration> {
    let text = std::str::from_utf8(cache_control?).ok()?;
    text.split(',').find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_delta = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age") && is_delta;
        // A number that overflows is large enough.
        is_max_age.then(|| value.parse().map_or(Duration::MAX, Duration::from_secs))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn max_age_shortens_within_bounds() {
        for (cache_control, expected) in [
            (None, 600),
            (Some("max-age=120"), 120),
            (Some("public, Max-Age=120, must-revalidate"), 120),
            (Some("max-age=\"120\""), 120),
            (Some("max-age=0"), 30),
            (Some("max-age=7"), 30),
            (Some("max-age=86400"), 600),
            (Some("max-age=99999999999999999999999999"), 600),
            (Some("s-maxage=60"), 600),
            (Some("no-cache, no-store"), 600),
            (Some("max-age"), 600),
            (Some("max-age="), 600),
            (Some("max-age=-1"), 600),
            (Some("max-age=1e9"), 600),
            (Some("max-age=inf"), 600),
            (Some("\u{ff}"), 600),
        ] {
            let cache_control = cache_control.map(str::as_bytes);
            assert_eq!(
                freshness(seconds(600.0), cache_control),
                Duration::from_secs(expected),
                "{cache_control:?}"
            );
        }
        assert_eq!(freshness(seconds(600.0), Some(b"max-age=120\xff")), seconds(600.0));
        // A short `refresh` stays short.
        assert_eq!(freshness(seconds(2.0), Some(b"max-age=0")), seconds(2.0));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_chance_only_shortens_them() {
        let pauses = [1, 2, 3, 4, 6, 7, 1000].map(|failures| after_failures(failures, seconds(600.0), 0.0));
        assert_eq!(pauses, [1, 2, 4, 8, 32, 60, 60].map(Duration::from_secs));
        assert_eq!(after_failures(5, seconds(3.0), 0.0), seconds(3.0));
        assert_eq!(after_failures(3, seconds(600.0), 0.5), seconds(3.6));
        assert_eq!(until_refresh(seconds(600.0), 0.0), seconds(600.0));
        assert_eq!(until_refresh(seconds(600.0), 1.0), seconds(480.0));
    }
}
