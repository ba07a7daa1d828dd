//! Points in time as in JWTs ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)). Uses no other module of
//! this crate.

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

    /// Adds seconds. A negative number subtracts, but not beyond the epoch. The date stays the same if the sum is not
    /// finite.
    pub fn plus(self, seconds: f64) -> NumericDate {
        let sum = self.0 + seconds;
        NumericDate(if sum.is_finite() { sum.max(0.0) } else { self.0 })
    }

    /// Seconds from `earlier` to this date; negative if `earlier` is the later of the two.
    pub fn seconds_since(self, earlier: NumericDate) -> f64 {
        self.0 - earlier.0
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
        assert_eq!(date.plus(60.0).seconds(), 160.0);
        assert_eq!(date.plus(-60.0).seconds(), 40.0);
        assert_eq!(date.plus(-600.0), NumericDate::EPOCH);
        assert_eq!(date.plus(f64::INFINITY), date);
        assert_eq!(date.plus(f64::NAN), date);
        assert_eq!(date.seconds_since(NumericDate::EPOCH), 100.0);
    }
}
