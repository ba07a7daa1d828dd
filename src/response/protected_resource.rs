//! Metadata of protected resources ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)). Clients read it before they
//! request a token, so it is served independently of the rules.

use std::rc::Rc;

use serde_json::Value;

use crate::config::ConfigErrorKind;
use crate::config::context::{BuildContext, SCOPE, is_scope};
use crate::config::path::ConfigPath;
use crate::config::shape::{Named, OneOrMany};
use crate::http::host::Host;
use crate::http::request::Request;
use crate::http::url::{HttpUrl, split_query};

/// Path prefix of metadata URLs; the resource's own path follows it.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// All protected resources of a policy.
#[derive(Debug, Default)]
pub struct ProtectedResources {
    resources: Vec<ProtectedResource>,
    /// True if the resources have different hosts. If they do not, the host of a request is ignored, since the name
    /// that reaches Envoy can differ from the one that clients use.
    by_host: bool,
}

/// A protected resource.
#[derive(Debug)]
pub struct ProtectedResource {
    host: Host<'static>,
    /// Path without a trailing slash.
    path: String,
    metadata_url: Rc<str>,
    metadata: Rc<str>,
}

/// A local reply that is not a denial.
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub fields: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Rc<str>,
}

impl ProtectedResource {
    /// Creates a resource with this identifier and metadata. `None` if the identifier is invalid:
    /// [RFC 9728 §1.2](https://www.rfc-editor.org/rfc/rfc9728#section-1.2) requires `https` and no fragment. A query is
    /// also rejected; `http` is accepted for loopback hosts.
    pub fn new(identifier: &str, metadata: &str) -> Option<Self> {
        let url = HttpUrl::parse(identifier).ok().filter(|url| !url.has_more)?;
        let host = Host::parse(url.authority.as_bytes()).ok().flatten()?;
        if !url.is_secure && !is_loopback(&host) {
            return None;
        }
        // RFC 9728 §3.1: a slash directly after the host is removed.
        let path = if url.path == "/" { "" } else { url.path };
        let scheme = if url.is_secure { "https" } else { "http" };
        let metadata_url = format!("{scheme}://{}{WELL_KNOWN}{path}", url.authority);
        Some(ProtectedResource {
            host: host.into_owned(),
            path: path.trim_end_matches('/').to_owned(),
            metadata_url: metadata_url.into(),
            metadata: metadata.into(),
        })
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.host == other.host && self.path == other.path
    }

    /// True if `path` is the resource's path or below it.
    fn contains(&self, path: &[u8]) -> bool {
        path.strip_prefix(self.path.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }
}

impl ProtectedResources {
    /// Combines the resources.
    ///
    /// # Errors
    /// Returns the index of the first resource that repeats the host and path of an earlier one.
    pub fn new(resources: Vec<ProtectedResource>) -> Result<Self, usize> {
        for (at, resource) in resources.iter().enumerate() {
            if resources.iter().take(at).any(|known| known.is_same_as(resource)) {
                return Err(at);
            }
        }
        let by_host = resources.windows(2).any(|pair| matches!(pair, [a, b] if a.host != b.host));
        Ok(ProtectedResources { resources, by_host })
    }

    /// Returns the reply to a request for metadata; `None` for other requests.
    pub fn answer(&self, request: &Request<'_>) -> Option<LocalReply> {
        if self.resources.is_empty() {
            return None;
        }
        let suffix = path_of(request)?.strip_prefix(WELL_KNOWN.as_bytes())?;
        let suffix = suffix.strip_suffix(b"/").unwrap_or(suffix);
        let host = self.host(request);
        let mut resources = self.resources.iter().filter(|resource| self.is_at(resource, host.as_ref()));
        let named = resources.clone().find(|resource| resource.path.as_bytes() == suffix);
        // Clients that know only the host send no path.
        let only =
            if suffix.is_empty() { resources.next().filter(|_| resources.next().is_none()) } else { None };
        Some(answer_for(request.method, named.or(only)?))
    }

    /// Returns the metadata URL of the resource that contains the request's path.
    pub fn metadata_url(&self, request: &Request<'_>) -> Option<Rc<str>> {
        if self.resources.is_empty() {
            return None;
        }
        let path = path_of(request)?;
        let host = self.host(request);
        let resources = self.resources.iter().filter(|resource| self.is_at(resource, host.as_ref()));
        let nearest =
            resources.filter(|resource| resource.contains(path)).max_by_key(|resource| resource.path.len());
        nearest.map(|resource| Rc::clone(&resource.metadata_url))
    }

    fn host<'r>(&self, request: &Request<'r>) -> Option<Host<'r>> {
        if self.by_host { Host::parse(request.authority?).ok().flatten() } else { None }
    }

    fn is_at(&self, resource: &ProtectedResource, host: Option<&Host<'_>>) -> bool {
        !self.by_host || host == Some(&resource.host)
    }
}

/// Returns the path as received, without the query. Other interpretations of it are left to the rules.
fn path_of<'r>(request: &Request<'r>) -> Option<&'r [u8]> {
    Some(split_query(request.path?).0)
}

fn is_loopback(host: &Host<'_>) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Ip(address) => address.is_loopback(),
    }
}

/// Builds the reply. Any web page may read metadata, including one whose own headers cause a CORS preflight.
fn answer_for(method: &[u8], resource: &ProtectedResource) -> LocalReply {
    const ANY_ORIGIN: (&str, &str) = ("access-control-allow-origin", "*");
    match method {
        b"GET" | b"HEAD" => LocalReply {
            status: 200,
            fields: &[("content-type", "application/json"), ("cache-control", "max-age=300"), ANY_ORIGIN],
            body: Rc::clone(&resource.metadata),
        },
        b"OPTIONS" => LocalReply {
            status: 204,
            fields: &[
                ("allow", "GET, HEAD, OPTIONS"),
                ANY_ORIGIN,
                ("access-control-allow-methods", "GET, HEAD"),
                ("access-control-allow-headers", "*"),
                ("access-control-max-age", "300"),
            ],
            body: "".into(),
        },
        _ => LocalReply {
            status: 405,
            fields: &[("allow", "GET, HEAD, OPTIONS"), ANY_ORIGIN],
            body: "".into(),
        },
    }
}

impl ProtectedResources {
    /// Builds all protected resources, or none if one of them has errors.
    pub fn build(
        cx: &mut BuildContext<'_>,
        at: &ConfigPath<'_>,
        declared: Option<&OneOrMany<Named<Value>>>,
    ) -> Self {
        let Some(OneOrMany(declared)) = declared else { return ProtectedResources::default() };
        cx.non_empty(at, declared);
        let elements = declared.iter().enumerate();
        let read = elements.map(|(index, members)| {
            ProtectedResource::build(cx, &at.element(index, declared.len()), members)
        });
        // If one is missing, its errors have been recorded, and the positions of the others would be wrong.
        let Some(resources) = read.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>() else {
            return ProtectedResources::default();
        };
        ProtectedResources::new(resources).unwrap_or_else(|index| {
            let at = &at.element(index, declared.len());
            cx.expected(&at.member("resource"), "a resource that is not in the list already");
            ProtectedResources::default()
        })
    }
}

impl ProtectedResource {
    /// Builds a protected resource. Unknown members are passed on, since
    /// [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2) has more and allows extensions.
    fn build(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, members: &Named<Value>) -> Option<Self> {
        const URL: &str = "an https URL without query and fragment, as in https://api.example.com";
        for (name, value) in &members.0 {
            let at = &at.member(name);
            match (name.as_str(), value) {
                (_, Value::Null) => cx.expected(at, "a value, or no such member"),
                ("authorization_servers", value) => list_of(cx, at, value, URL, is_issuer),
                ("scopes_supported", value) => list_of(cx, at, value, SCOPE, is_scope),
                _ => {}
            }
        }
        let Some((_, identifier)) = members.0.iter().find(|(name, _)| name == "resource") else {
            cx.error(at, ConfigErrorKind::MissingField("resource"));
            return None;
        };
        let metadata = members.0.iter().cloned().collect::<serde_json::Map<_, _>>();
        let metadata = Value::Object(metadata).to_string();
        let resource =
            identifier.as_str().and_then(|identifier| ProtectedResource::new(identifier, &metadata));
        if resource.is_none() && !identifier.is_null() {
            cx.expected(&at.member("resource"), URL);
        }
        resource
    }
}

/// Checks a list of texts, which must not be empty
/// ([RFC 9728 §3.2](https://www.rfc-editor.org/rfc/rfc9728#section-3.2)).
fn list_of(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
    value: &Value,
    expected: &'static str,
    is_right: fn(&str) -> bool,
) {
    let Some(elements) = value.as_array().filter(|elements| !elements.is_empty()) else {
        return cx.expected(at, "a list with at least one element");
    };
    for (index, element) in elements.iter().enumerate() {
        if !element.as_str().is_some_and(is_right) {
            cx.expected(&at.index(index), expected);
        }
    }
}

/// True for issuer identifiers ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)), which have the form
/// of a resource identifier.
fn is_issuer(text: &str) -> bool {
    ProtectedResource::new(text, "").is_some()
}
