//! Points in time as in JWTs ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)). Uses no other module of
//! this crate.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01T00:00:00Z without leap seconds, possibly with a fraction. Always finite and never negative.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct NumericDate(f64);

impl NumericDate {
    /// The date 1970-01-01T00:00:00Z.
    pub const EPOCH: NumericDate = NumericDate(0.0);

    /// The date at this many seconds after the epoch. `None` if the number is negative, infinite or NaN.
    pub fn from_seconds(seconds: f64) -> Option<NumericDate> {
        // Adding zero turns -0.0 into 0.0.
        (seconds.is_finite() && seconds >= 0.0).then_some(NumericDate(seconds + 0.0))
    }

    /// The date in a JSON number. `None` for other values: a string that contains a number is not a NumericDate.
    pub fn from_json(value: &Value) -> Option<NumericDate> {
        match value {
            Value::Number(number) => NumericDate::from_seconds(number.as_f64()?),
            _ => None,
        }
    }

    /// Parses a date of a configuration, such as `2026-01-01T00:00:00Z`
    /// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)). `None` if the text is not a date, or a date before the
    /// epoch.
    pub fn parse_rfc3339(text: &str) -> Option<NumericDate> {
        let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        NumericDate::from_seconds(date.unix_timestamp() as f64 + f64::from(date.nanosecond()) / 1e9)
    }

    /// Seconds since the epoch.
    pub fn seconds(self) -> f64 {
        self.0
    }

    /// Returns the date this much later.
    pub fn plus(self, duration: Duration) -> NumericDate {
        // The sum is finite: no duration is large enough to change the largest finite number.
        NumericDate(self.0 + duration.as_secs_f64())
    }

    /// Returns the date this much earlier, but not before the epoch.
    pub fn minus(self, duration: Duration) -> NumericDate {
        NumericDate((self.0 - duration.as_secs_f64()).max(0.0))
    }

    /// Returns the time between two dates, whichever is the later one.
    pub fn abs_diff(self, other: NumericDate) -> Duration {
        Duration::try_from_secs_f64((self.0 - other.0).abs()).unwrap_or(Duration::MAX)
    }

    /// Returns the time since `earlier`; zero if `earlier` is the later one.
    pub fn since(self, earlier: NumericDate) -> Duration {
        self.checked_since(earlier).unwrap_or_default()
    }

    /// Returns the time since `earlier`; `None` if `earlier` is the later one.
    pub fn checked_since(self, earlier: NumericDate) -> Option<Duration> {
        (self >= earlier).then(|| self.abs_diff(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_that_are_not_negative_are_dates() {
        for (json, expected) in [
            ("0", Some(0.0)),
            ("-0", Some(0.0)),
            ("1516239022", Some(1_516_239_022.0)),
            ("1516239022.25", Some(1_516_239_022.25)),
            ("1e9", Some(1e9)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615.0)),
            ("1e308", Some(1e308)),
            ("-1", None),
            ("-0.5", None),
            (r#""1516239022""#, None),
            ("null", None),
            ("true", None),
            ("[1516239022]", None),
            ("{}", None),
        ] {
            let value = crate::json::parse(json.as_bytes()).unwrap();
            assert_eq!(NumericDate::from_json(&value).map(NumericDate::seconds), expected, "{json}");
        }
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            assert_eq!(NumericDate::from_seconds(seconds), None, "{seconds}");
        }
        assert!(NumericDate::from_seconds(-0.0).unwrap().seconds().is_sign_positive());
    }

    #[test]
    fn rfc3339_dates() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2026-01-01T00:00:00Z", Some(1_767_225_600.0)),
            ("2026-01-01T01:00:00+01:00", Some(1_767_225_600.0)),
            ("2026-01-01T00:00:00.5Z", Some(1_767_225_600.5)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-01-01", None),
            ("2026-01-01T00:00:00", None),
            ("2026-02-30T00:00:00Z", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(NumericDate::parse_rfc3339(text).map(NumericDate::seconds), expected, "{text}");
        }
    }

    #[test]
    fn sums_stay_dates() {
        let date = NumericDate::from_seconds(100.0).unwrap();
        assert_eq!(date.plus(Duration::from_secs(60)).seconds(), 160.0);
        assert_eq!(date.minus(Duration::from_secs(60)).seconds(), 40.0);
        assert_eq!(date.minus(Duration::from_secs(600)), NumericDate::EPOCH);
        let last = NumericDate::from_seconds(f64::MAX).unwrap();
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(last.minus(Duration::MAX), last);
    }
    #[test]
    fn the_time_between_dates_is_never_negative() {
        let at = |seconds| NumericDate::from_seconds(seconds).unwrap();
        for (later, earlier, since, checked) in [
            (100.0, 40.0, 60_000, Some(60_000)),
            (100.25, 100.0, 250, Some(250)),
            (100.0, 100.0, 0, Some(0)),
            (40.0, 100.0, 0, None),
        ] {
            let (later, earlier) = (at(later), at(earlier));
            assert_eq!(later.since(earlier), Duration::from_millis(since), "{later:?}");
            assert_eq!(later.checked_since(earlier), checked.map(Duration::from_millis), "{later:?}");
        }
        assert_eq!(at(40.0).abs_diff(at(100.0)), Duration::from_secs(60));
        assert_eq!(at(1e300).since(at(0.0)), Duration::MAX);
    }
}
