//! Enums of plain words.

/// Reads an enum of plain words from a string. YAML 1.1, which Envoy and Kubernetes read, takes a bare `off` for `false`.
macro_rules! keyword {
    (
        $type:ident, $expected:literal,
        { $($word:literal => $variant:ident),* $(,)? } $(, { $truth:literal => $other:ident })?
    ) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl Visitor<'_> for Word {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, word: &str) -> Result<$type, E> {
                        match word {
                            $($word => Ok($type::$variant),)*
                            _ => Err(E::custom(concat!("expected ", $expected))),
                        }
                    }

                    $(
                        fn visit_bool<E: Error>(self, truth: bool) -> Result<$type, E> {
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
    };
}
pub(super) use keyword;
