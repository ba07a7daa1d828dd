//! Enums of keywords.

/// Deserializes an enum of keywords from a string. YAML 1.1, which Envoy and Kubernetes use, parses an unquoted `off`
/// as `false`.
macro_rules! keyword {
    (
        $type:ident, $expected:literal,
        { $($word:literal => $variant:ident),* $(,)? } $(, { $truth:literal => $other:ident })?
    ) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl serde::de::Visitor<'_> for Word {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$type, E> {
                        match word {
                            $($word => Ok($type::$variant),)*
                            _ => Err(E::custom(concat!("expected ", $expected))),
                        }
                    }

                    $(
                        fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<$type, E> {
                            match truth {
                                $truth => Ok($type::$other),
                                _ => Err(E::custom(concat!("expected ", $expected, ", found a boolean"))),
                            }
                        }
                    )?
                }
                deserializer.deserialize_str(Word)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"enum": [$($word,)* $($truth)?]})
            }
        }
    };
}
pub(super) use keyword;
