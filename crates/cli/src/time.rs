//! Readable times.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Formats a time in seconds since 1970 as RFC 3339, in whole seconds.
pub fn rfc3339(seconds: f64) -> String {
    let is_date = (0.0..=253_402_300_799.0).contains(&seconds);
    let date = OffsetDateTime::from_unix_timestamp(seconds.floor() as i64).ok().filter(|_| is_date);
    let text = date.and_then(|date| date.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{seconds} s since 1970"))
}

/// Formats the distance between two times in seconds, such as `in 5 minutes` or `3 days ago`.
pub fn distance(from: f64, to: f64) -> String {
    let seconds = (to - from).abs();
    let (count, unit) = match seconds {
        s if s < 120.0 => (s, "second"),
        s if s < 7200.0 => (s / 60.0, "minute"),
        s if s < 172_800.0 => (s / 3600.0, "hour"),
        s => (s / 86_400.0, "day"),
    };
    let count = count.floor();
    let plural = if count == 1.0 { "" } else { "s" };
    if to < from { format!("{count} {unit}{plural} ago") } else { format!("in {count} {unit}{plural}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00Z"),
            (951_782_400.0, "2000-02-29T00:00:00Z"),
            (1_700_000_000.9, "2023-11-14T22:13:20Z"),
            (4_107_542_399.0, "2100-02-28T23:59:59Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00Z"),
            (253_402_300_799.0, "9999-12-31T23:59:59Z"),
            (-1.0, "-1 s since 1970"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
        assert_eq!(distance(100.0, 101.0), "in 1 second");
        assert_eq!(distance(0.0, 300.0), "in 5 minutes");
        assert_eq!(distance(200_000.0, 0.0), "2 days ago");
    }
}
