//! Builds `keys.remote` and `keys.discovery`.

use std::rc::Rc;

use crate::authn::bearer::KeyProvider;
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::value::Span;
use crate::config::{self};
use crate::remote::jwks::{Address, Discovery, Origin, Plan};

pub(super) fn remote(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    remote: &config::Remote,
) -> Option<KeyProvider> {
    let address = cx.checked(&at.member("uri"), Address::parse(&remote.uri));
    cx.cluster(&at.member("cluster"), &remote.cluster);
    let config::Remote { refresh, timeout, max_stale, max_wait, .. } = remote;
    check_durations(cx, at, [*refresh, *timeout, *max_stale, *max_wait]);
    let origin = Origin::Set { address: address?, cluster: remote.cluster.clone() };
    Some(plan(origin, [*refresh, *timeout, *max_stale, *max_wait]))
}

pub(super) fn discovery(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    discovery: &config::Discovery,
    issuers: &[String],
) -> Option<KeyProvider> {
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
    Some(plan(Origin::Discovery(discovery), [*refresh, *timeout, *max_stale, *max_wait]))
}

fn check_durations(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, durations: [Span; 4]) {
    for (name, duration) in ["refresh", "timeout", "max_stale", "max_wait"].iter().zip(durations) {
        if duration == Span::seconds(0) {
            cx.expected(&at.member(name), "more than 0");
        }
    }
}

fn plan(origin: Origin, durations: [Span; 4]) -> KeyProvider {
    let [refresh, timeout, max_stale, max_wait] = durations.map(Span::as_seconds);
    KeyProvider::Provider(Rc::new(Plan { origin, refresh, timeout, max_stale, max_wait }))
}
