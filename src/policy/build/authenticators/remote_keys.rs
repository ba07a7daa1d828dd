//! Builds `keys.remote` and `keys.discovery`.

use std::rc::Rc;

use super::super::Builder;
use crate::authn::bearer::KeyProvider;
use crate::config::value::Span;
use crate::config::{self, ConfigErrorKind};
use crate::remote::jwks::{Address, Discovery, Origin, Plan};

impl Builder<'_> {
    pub(super) fn remote(&mut self, path: &str, remote: &config::Remote) -> Option<KeyProvider> {
        let address = self.checked(&format!("{path}.uri"), Address::parse(&remote.uri));
        self.cluster(&format!("{path}.cluster"), &remote.cluster);
        let config::Remote { refresh, timeout, max_stale, max_wait, .. } = remote;
        self.durations(path, [*refresh, *timeout, *max_stale, *max_wait]);
        let origin = Origin::Set { address: address?, cluster: remote.cluster.clone() };
        Some(plan(origin, [*refresh, *timeout, *max_stale, *max_wait]))
    }

    pub(super) fn discovery(
        &mut self,
        path: &str,
        discovery: &config::Discovery,
        issuers: &[String],
    ) -> Option<KeyProvider> {
        self.cluster(&format!("{path}.cluster"), &discovery.cluster);
        if let Some(cluster) = &discovery.jwks_cluster {
            self.cluster(&format!("{path}.jwks_cluster"), cluster);
        }
        let config::Discovery { refresh, timeout, max_stale, max_wait, .. } = discovery;
        self.durations(path, [*refresh, *timeout, *max_stale, *max_wait]);
        let address = match issuers {
            // OpenID Connect Discovery §2, RFC 8414 §2: an issuer has no query and no fragment.
            [issuer] => Address::parse(issuer).ok().filter(|address| !address.path.contains('?')),
            _ => None,
        };
        let (Some(address), [issuer]) = (address, issuers) else {
            let expected = "exactly one `issuer`, an http or https URL without query and fragment";
            self.error(path, ConfigErrorKind::Expected(expected));
            return None;
        };
        let discovery = Discovery {
            issuer: issuer.clone(),
            address,
            cluster: discovery.cluster.clone(),
            jwks_cluster: discovery.jwks_cluster.clone(),
        };
        Some(plan(Origin::Discovery(discovery), [*refresh, *timeout, *max_stale, *max_wait]))
    }

    /// Checks the name of a cluster. Only the proxy knows if the cluster exists.
    pub(super) fn cluster(&mut self, path: &str, name: &str) {
        if name.is_empty() {
            self.error(path, ConfigErrorKind::Expected("the name of one of the proxy's clusters"));
        }
    }

    fn durations(&mut self, path: &str, durations: [Span; 4]) {
        for (name, duration) in ["refresh", "timeout", "max_stale", "max_wait"].iter().zip(durations) {
            if duration == Span::seconds(0) {
                self.error(format!("{path}.{name}"), ConfigErrorKind::Expected("more than 0"));
            }
        }
    }
}

fn plan(origin: Origin, durations: [Span; 4]) -> KeyProvider {
    let [refresh, timeout, max_stale, max_wait] = durations.map(Span::as_seconds);
    KeyProvider::Provider(Rc::new(Plan { origin, refresh, timeout, max_stale, max_wait }))
}
