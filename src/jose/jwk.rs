//! Keys that verify signatures, and sets of them ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517),
//! [RFC 7518 §6](https://www.rfc-editor.org/rfc/rfc7518#section-6),
//! [RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2),
//! [RFC 8812 §3.1](https://www.rfc-editor.org/rfc/rfc8812#section-3.1)); thumbprints of keys
//! ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).
//!
//! The algorithms of a key are fixed when the key is parsed, so no header can make an RSA key serve as an HMAC secret.

mod algorithm;
mod key;
mod pem;
mod set;
mod thumbprint;

pub use algorithm::{Algorithm, Algorithms};
pub(crate) use key::Material;
pub use key::{KeyError, VerifyingKey};
pub use set::{IgnoredKey, KeySet, KeySetError, KeySetOrigin, MAX_KEYS};
pub use thumbprint::{Thumbprint, thumbprint};
