//! Warnings about a configuration.

use std::fmt;

use crate::jose::jwk::KeyError;
use crate::password::HashScheme;

/// Maximum number of names in one warning.
pub const MOST_NAMED: usize = 20;

/// A warning: the configuration is valid, but should be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Path in the configuration.
    pub path: String,
    /// Kind of warning.
    pub kind: WarningKind,
}

/// Kinds of warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarningKind {
    /// Number of passwords whose hashes are fast to guess.
    WeakHashes(usize),
    /// A member of a key set is ignored for this reason.
    IgnoredKey(KeyError),
    /// Number of users with MD5 digests only, in an authenticator that has no others.
    Md5Digests(usize),
    /// Rules in shadow mode, which are not enforced.
    NotEnforced {
        /// Names of rules, and other things that are not enforced.
        what: String,
        /// Number of further rules.
        more: usize,
    },
    /// Number of users with MD5 digests only, in an authenticator that offers SHA-256 first.
    UnreachableDigests(usize),
    /// Tokens may be bound to keys, but no proofs can be checked.
    NoProofs,
    /// The passwords of one authenticator have hashes of these different kinds and costs.
    MixedHashes(Vec<(HashScheme, u64)>),
    /// Number of passwords with slow hashes, without throttling.
    Unthrottled(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.kind {
            WarningKind::WeakHashes(count) => write!(
                f,
                "{count} password(s) in plain text or with {{SHA}}, {{SSHA}} or $apr1$ hashes, which are fast to guess; \
                 make new ones with `authgate hash`"
            ),
            WarningKind::IgnoredKey(error) => write!(f, "this key is ignored: {error}"),
            WarningKind::Md5Digests(count) => {
                write!(f, "{count} user(s) with MD5 digests, and MD5 is broken; add SHA-256 digests")
            }
            WarningKind::NotEnforced { what, more } => {
                write!(f, "NOT ENFORCED, requests are allowed whatever is decided: {what}")?;
                if *more > 0 { write!(f, ", and {more} more") } else { Ok(()) }
            }
            WarningKind::UnreachableDigests(count) => write!(
                f,
                "{count} user(s) with MD5 digests only, who can log in only with clients that do not support SHA-256; \
                 add SHA-256 digests"
            ),
            WarningKind::NoProofs => f.write_str(
                "without `dpop: {origin: …}` tokens that are bound to a key are rejected, and only those that are bound \
                 to a certificate are accepted",
            ),
            WarningKind::MixedHashes(kinds) => {
                f.write_str("the users' hashes differ in kind or cost: ")?;
                for (index, (scheme, cost)) in kinds.iter().take(MOST_NAMED).enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{scheme}")?;
                    if *cost > 1 {
                        write!(f, " (cost {cost})")?;
                    }
                }
                f.write_str(
                    "; the time of a check reveals which kind a user has; use one kind and one cost for all",
                )
            }
            WarningKind::Unthrottled(count) => write!(
                f,
                "{count} password(s) have slow hashes, and guessing is not throttled, so wrong passwords can use up the \
                 time for hashes (`slow_hashes`); add `throttle: {{}}`"
            ),
        }
    }
}
