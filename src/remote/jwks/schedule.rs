//! Schedule of key fetches.

/// The shortest time between two fetches that `max-age` can set, in seconds.
const LEAST_MAX_AGE: f64 = 30.0;

/// The longest pause after a failure, in seconds.
const LONGEST_PAUSE: f64 = 60.0;

/// The random part of a pause, so that workers and replicas do not fetch all at once.
const JITTER: f64 = 0.2;

/// Returns the seconds for which fetched keys are fresh: the configured interval, or less if the response's
/// `Cache-Control` ([RFC 9111 §5.2.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.1)) says so.
pub fn freshness(refresh: f64, cache_control: Option<&[u8]>) -> f64 {
    max_age(cache_control).map_or(refresh, |max_age| max_age.max(LEAST_MAX_AGE).min(refresh))
}

/// Returns the pause before the next fetch, in seconds, for keys with this freshness. `jitter` is from 0 up to 1.
pub fn until_refresh(freshness: f64, jitter: f64) -> f64 {
    freshness * (1.0 - JITTER * jitter)
}

/// Returns the pause after this many consecutive failures, in seconds: one second, doubled each time.
pub fn after_failures(failures: u32, refresh: f64, jitter: f64) -> f64 {
    let doubled = 2_f64.powi(failures.saturating_sub(1).min(30) as i32);
    doubled.min(LONGEST_PAUSE).min(refresh) * (1.0 - JITTER * jitter)
}

fn max_age(cache_control: Option<&[u8]>) -> Option<f64> {
    let text = std::str::from_utf8(cache_control?).ok()?;
    text.split(',').find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_delta = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age") && is_delta;
        // A number that overflows is large enough.
        is_max_age.then(|| value.parse().map_or(f64::INFINITY, |seconds: u32| f64::from(seconds)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_shortens_within_bounds() {
        for (cache_control, expected) in [
            (None, 600.0),
            (Some("max-age=120"), 120.0),
            (Some("public, Max-Age=120, must-revalidate"), 120.0),
            (Some("max-age=\"120\""), 120.0),
            (Some("max-age=0"), 30.0),
            (Some("max-age=7"), 30.0),
            (Some("max-age=86400"), 600.0),
            (Some("max-age=99999999999999999999999999"), 600.0),
            (Some("s-maxage=60"), 600.0),
            (Some("no-cache, no-store"), 600.0),
            (Some("max-age"), 600.0),
            (Some("max-age="), 600.0),
            (Some("max-age=-1"), 600.0),
            (Some("max-age=1e9"), 600.0),
            (Some("max-age=inf"), 600.0),
            (Some("\u{ff}"), 600.0),
        ] {
            assert_eq!(freshness(600.0, cache_control.map(str::as_bytes)), expected, "{cache_control:?}");
        }
        assert_eq!(freshness(600.0, Some(b"max-age=120\xff")), 600.0);
        // A short `refresh` stays short.
        assert_eq!(freshness(2.0, Some(b"max-age=0")), 2.0);
    }

    #[test]
    fn pauses_grow_to_a_limit_and_chance_only_shortens_them() {
        let pauses = [1, 2, 3, 4, 6, 7, 1000].map(|failures| after_failures(failures, 600.0, 0.0));
        assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 32.0, 60.0, 60.0]);
        assert_eq!(after_failures(5, 3.0, 0.0), 3.0);
        assert_eq!(after_failures(3, 600.0, 0.5), 3.6);
        assert_eq!(until_refresh(600.0, 0.0), 600.0);
        assert_eq!(until_refresh(600.0, 1.0), 480.0);
    }
}
