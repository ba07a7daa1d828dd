//! Metadata of identity providers: OpenID Connect Discovery 1.0 §4 and
//! [RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3).

use serde_json::Value;

use super::address::Address;
use super::error::FetchError;
use crate::json;

/// Configuration of discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The issuer, exactly as in tokens.
    pub issuer: String,
    /// The issuer as a URL. Its path is not that of a request.
    pub address: Address,
    /// The cluster for metadata.
    pub cluster: String,
    /// The cluster for the key set, if it is another one.
    pub jwks_cluster: Option<String>,
}

impl Discovery {
    /// Returns the URL of OpenID Connect metadata: the well-known path follows the issuer's path.
    pub fn openid_configuration(&self) -> Address {
        self.with_path(format!("{}/.well-known/openid-configuration", self.path()))
    }

    /// Returns the URL of authorization server metadata
    /// ([RFC 8414 §3.1](https://www.rfc-editor.org/rfc/rfc8414#section-3.1)): the well-known path precedes the issuer's
    /// path.
    pub fn oauth_authorization_server(&self) -> Address {
        self.with_path(format!("/.well-known/oauth-authorization-server{}", self.path()))
    }

    /// Returns the URL of the key set that the metadata name, and the cluster for it.
    ///
    /// # Errors
    /// Fails if the document is not strict JSON, if it has another issuer, if it has no valid `jwks_uri`, or if that
    /// URL has another origin and no cluster is configured for it.
    pub fn read(&self, document: &[u8]) -> Result<(Address, &str), FetchError> {
        let document = json::parse(document).map_err(FetchError::Json)?;
        let text = |name| document.get(name).and_then(Value::as_str);
        match text("issuer") {
            Some(issuer) if issuer == self.issuer => {}
            Some(issuer) if without_slash(issuer) == without_slash(&self.issuer) => {
                return Err(FetchError::IssuerSlash);
            }
            _ => return Err(FetchError::OtherIssuer),
        }
        let keys = text("jwks_uri").and_then(|uri| Address::parse(uri).ok()).ok_or(FetchError::NoJwksUri)?;
        match &self.jwks_cluster {
            Some(cluster) => Ok((keys, cluster)),
            None if keys.has_origin_of(&self.address) => Ok((keys, &self.cluster)),
            None => Err(FetchError::OtherOrigin),
        }
    }

    /// Returns the issuer's path without trailing slashes.
    fn path(&self) -> &str {
        self.address.path.trim_end_matches('/')
    }

    fn with_path(&self, path: String) -> Address {
        Address { path, ..self.address.clone() }
    }
}

fn without_slash(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(issuer: &str, jwks_cluster: Option<&str>) -> Discovery {
        Discovery {
            issuer: issuer.to_owned(),
            address: Address::parse(issuer).unwrap(),
            cluster: "idp".to_owned(),
            jwks_cluster: jwks_cluster.map(str::to_owned),
        }
    }

    #[test]
    fn metadata_stands_behind_the_issuers_path_or_before_it() {
        for (issuer, openid, oauth) in [
            ("https://idp", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
            ("https://idp/", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
            (
                "https://idp/realms/one",
                "/realms/one/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/one",
            ),
            (
                "https://idp/t1/",
                "/t1/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/t1",
            ),
        ] {
            let discovery = discovery(issuer, None);
            assert_eq!(discovery.openid_configuration().path, openid);
            assert_eq!(discovery.oauth_authorization_server().path, oauth);
            assert_eq!(discovery.openid_configuration().authority, "idp");
        }
    }

    #[test]
    fn a_document_is_taken_from_the_issuer_alone_and_leads_nowhere_unexpected() {
        let check = |jwks_cluster, document: &str, expected: Result<(&str, &str), FetchError>| {
            let discovery = discovery("https://idp/one", jwks_cluster);
            let found = discovery.read(document.as_bytes());
            let found =
                found.map(|(address, cluster)| (format!("{}{}", address.authority, address.path), cluster));
            assert_eq!(found, expected.map(|(url, cluster)| (url.to_owned(), cluster)), "{document}");
        };
        let same = r#"{"issuer": "https://idp/one", "jwks_uri": "https://idp/keys?x=1", "more": [1]}"#;
        check(None, same, Ok(("idp/keys?x=1", "idp")));
        check(Some("keys"), same, Ok(("idp/keys?x=1", "keys")));
        let elsewhere = r#"{"issuer": "https://idp/one", "jwks_uri": "https://cdn/keys"}"#;
        check(None, elsewhere, Err(FetchError::OtherOrigin));
        check(Some("keys"), elsewhere, Ok(("cdn/keys", "keys")));
        let other_scheme = r#"{"issuer": "https://idp/one", "jwks_uri": "http://idp/keys"}"#;
        check(None, other_scheme, Err(FetchError::OtherOrigin));
        let slash = r#"{"issuer": "https://idp/one/", "jwks_uri": "https://idp/keys"}"#;
        check(Some("keys"), slash, Err(FetchError::IssuerSlash));
        for issuer in [
            r#""https://idp/one//""#,
            r#""https://idp""#,
            r#""https://evil/one""#,
            "null",
            r#"["https://idp/one"]"#,
        ] {
            let document = format!(r#"{{"issuer": {issuer}, "jwks_uri": "https://idp/keys"}}"#);
            check(Some("keys"), &document, Err(FetchError::OtherIssuer));
        }
        for uri in [
            r#""/keys""#,
            r#""ftp://idp/keys""#,
            r#""https://u:p@idp/keys""#,
            r#""https://idp/k#x""#,
            "null",
            "1",
        ] {
            let document = format!(r#"{{"issuer": "https://idp/one", "jwks_uri": {uri}}}"#);
            check(Some("keys"), &document, Err(FetchError::NoJwksUri));
        }
        check(None, "[]", Err(FetchError::OtherIssuer));
        assert!(matches!(discovery("https://idp", None).read(b"<html>"), Err(FetchError::Json(_))));
        let twice = br#"{"issuer": "https://evil", "issuer": "https://idp", "jwks_uri": "https://idp/keys"}"#;
        assert!(matches!(discovery("https://idp", None).read(twice), Err(FetchError::Json(_))));
    }
}
