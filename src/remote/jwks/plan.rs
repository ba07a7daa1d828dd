//! Configuration of the fetches of keys: `keys.remote` and `keys.discovery`.

use std::time::Duration;

use super::{Address, Discovery};
use crate::config;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::value::ConfigDuration;

/// Configuration of the fetches.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Source of the keys.
    pub origin: Origin,
    /// Interval between fetches.
    pub refresh: Duration,
    /// Timeout of each call.
    pub timeout: Duration,
    /// Time after which keys that could not be refreshed are discarded.
    pub max_stale: Duration,
    /// Longest time that a request waits for keys.
    pub max_wait: Duration,
}

/// Source of the keys.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A key set at a fixed URL.
    Set {
        /// URL of the set.
        address: Address,
        /// The cluster for the fetch.
        cluster: String,
    },
    /// A key set that the issuer's metadata name.
    Discovery(Discovery),
}

impl Plan {
    /// Builds the plan of `keys.remote`.
    pub fn remote(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, remote: &config::Remote) -> Option<Self> {
        let address = cx.checked(&at.member("uri"), Address::parse(&remote.uri));
        cx.cluster(&at.member("cluster"), &remote.cluster);
        let config::Remote { refresh, timeout, max_stale, max_wait, .. } = remote;
        check_durations(cx, at, [*refresh, *timeout, *max_stale, *max_wait]);
        let origin = Origin::Set { address: address?, cluster: remote.cluster.clone() };
        Some(Plan::new(origin, [*refresh, *timeout, *max_stale, *max_wait]))
    }

    /// Builds the plan of `keys.discovery` for these issuers.
    pub fn discovery(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        discovery: &config::Discovery,
        issuers: &[String],
    ) -> Option<Self> {
        cx.cluster(&at.member("cluster"), &discovery.cluster);
        if let Some(cluster) = &discovery.jwks_cluster {
            cx.cluster(&at.member("jwks_cluster"), cluster);
        }
        let config::Discovery { refresh, timeout, max_stale, max_wait, .. } = discovery;
        check_durations(cx, at, [*refresh, *timeout, *max_stale, *max_wait]);
        let address = match issuers {
            // OpenID Connect Discovery §2, RFC 8414 §2: an issuer has no query and no fragment.
            [issuer] => Address::parse(issuer).ok().filter(|address| !address.path.contains('?')),
            _ => None,
        };
        let (Some(address), [issuer]) = (address, issuers) else {
            let expected = "exactly one `issuer`, an http or https URL without query and fragment";
            cx.expected(at, expected);
            return None;
        };
        let discovery = Discovery {
            issuer: issuer.clone(),
            address,
            cluster: discovery.cluster.clone(),
            jwks_cluster: discovery.jwks_cluster.clone(),
        };
        Some(Plan::new(Origin::Discovery(discovery), [*refresh, *timeout, *max_stale, *max_wait]))
    }

    fn new(origin: Origin, durations: [ConfigDuration; 4]) -> Self {
        let [refresh, timeout, max_stale, max_wait] = durations.map(|duration| duration.0);
        Plan { origin, refresh, timeout, max_stale, max_wait }
    }
}

fn check_durations(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, durations: [ConfigDuration; 4]) {
    for (name, duration) in ["refresh", "timeout", "max_stale", "max_wait"].iter().zip(durations) {
        if duration.0.is_zero() {
            cx.expected(&at.member(name), "more than 0");
        }
    }
}
