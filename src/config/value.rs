//! Values with a notation of their own: durations, numbers, sizes and secrets.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// A duration, written as `"250ms"`, `"60s"`, `"5m"`, `"1h"` or `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDuration(pub Duration);

impl ConfigDuration {
    /// A duration of this many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        ConfigDuration(Duration::from_secs(seconds))
    }

    fn parse(text: &str) -> Option<Self> {
        const LONGEST: u64 = 100 * 366 * 86_400_000; // a hundred years, so that sums are exact
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let milliseconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
        (milliseconds <= LONGEST).then_some(ConfigDuration(Duration::from_millis(milliseconds)))
    }
}

impl<'de> Deserialize<'de> for ConfigDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ConfigDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"250ms\", \"60s\", \"5m\", \"1h\" or \"7d\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ConfigDuration, E> {
                ConfigDuration::parse(text).ok_or_else(|| {
                    E::custom("expected a duration such as \"250ms\", \"60s\", \"5m\", \"1h\" or \"7d\"")
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A number with an optional fraction. Envoy converts a fraction in plain YAML to a string.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fraction(pub f64);

impl Fraction {
    /// Parses digits, optionally followed by a point and more digits. The parser of the standard library is large.
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits =
            |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) {
            return None;
        }
        let scale = 10_u32.checked_pow(u32::try_from(part.len()).ok()?)?;
        let (whole, part): (u32, u32) = (whole.parse().ok()?, part.parse().ok()?);
        Some(Fraction(f64::from(whole) + f64::from(part) / f64::from(scale)))
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Fraction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Fraction, E> {
                Ok(Fraction(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Fraction, E> {
                Ok(Fraction(number as f64))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Fraction, E> {
                Ok(Fraction(number as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Fraction, E> {
                Fraction::parse(text).ok_or_else(|| E::custom("expected a number, found a string"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// A size in bytes, written as `"16MiB"`, `"512KiB"`, `"1GiB"` or `"65536B"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(usize);

impl ByteSize {
    /// A size of this many MiB.
    pub const fn mebibytes(mebibytes: u16) -> Self {
        ByteSize((mebibytes as usize) << 20)
    }

    /// The size in bytes.
    pub fn bytes(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let factor = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        // A VM has at most 4 GiB, whatever the machine that parses the configuration.
        let bytes = number.parse::<u32>().ok()?.checked_mul(factor)?;
        usize::try_from(bytes).ok().map(ByteSize)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"512KiB\" or \"16MiB\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                ByteSize::parse(text)
                    .ok_or_else(|| E::custom("expected a size such as \"512KiB\" or \"16MiB\""))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A secret text: inline, or `{env: NAME}` for a variable in the environment of the VM.
pub enum Secret {
    /// Written in the configuration.
    Inline(String),
    /// Name of an environment variable.
    Environment(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Inline(_) => f.write_str("Inline(…)"),
            Secret::Environment(name) => write!(f, "Environment({name})"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or {env: NAME}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::Inline(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Secret, A::Error> {
                match members.next_entry::<String, String>()? {
                    Some((_, name)) => Ok(Secret::Environment(name)),
                    None => Err(A::Error::missing_field("env")),
                }
            }
        }
        deserializer.deserialize_struct("Secret", &["env"], Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let check = |text: &str, expected: Option<f64>| {
            let expected = expected.map(Duration::from_secs_f64).map(ConfigDuration);
            assert_eq!(ConfigDuration::parse(text), expected, "{text}");
        };
        check("250ms", Some(0.25));
        check("60s", Some(60.0));
        check("5m", Some(300.0));
        check("1h", Some(3600.0));
        check("7d", Some(604_800.0));
        check("0s", Some(0.0));
        check("60", None);
        check("", None);
        check("s", None);
        check("1.5s", None);
        check("-1s", None);
        check(" 1s", None);
        check("1 s", None);
        check("1w", None);
        check("99999999999999999999d", None);
        check("1000000d", None);
    }

    #[test]
    fn sizes_have_a_unit() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(ByteSize::parse(text).map(ByteSize::bytes), expected, "{text}");
        };
        check("16MiB", Some(16 << 20));
        check("512KiB", Some(512 << 10));
        check("1GiB", Some(1 << 30));
        check("0B", Some(0));
        check("16MB", None);
        check("16", None);
        check("1.5MiB", None);
        check("4GiB", None);
        check("-1B", None);
    }
}
