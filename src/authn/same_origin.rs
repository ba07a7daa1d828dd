//! Protection against cross-site request forgery, for credentials in cookies.

use super::Presented;
use crate::http::location::CredentialLocation;
use crate::http::request::Request;
use crate::http::url::{default_port, split_port};
use crate::response::Reason;

/// Checks that a request with a credential from a cookie comes from the site's own pages. Credentials from other
/// locations need no check, since browsers do not add them by themselves.
///
/// # Errors
/// Fails with [`Reason::CrossOrigin`] if the request may come from another site.
pub fn prove(presented: Presented<'_>, request: &Request<'_>) -> Result<(), Reason> {
    match presented.location {
        CredentialLocation::Cookie(_) if !is_shown(request) => Err(Reason::CrossOrigin),
        _ => Ok(()),
    }
}

/// True if the request is same-origin, or cannot change anything. Browsers send cookies with requests from other sites
/// too. So on unsafe methods and for WebSockets, `Sec-Fetch-Site` must be `same-origin` or, for browsers without it,
/// `Origin` must match.
fn is_shown(request: &Request<'_>) -> bool {
    let is_safe = matches!(request.method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
    let is_upgrade = request.values("upgrade").next().is_some();
    if is_safe && !is_upgrade {
        return true;
    }
    let mut sites = request.values("sec-fetch-site").peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site == b"same-origin");
    }
    request.value("origin").is_some_and(|origin| is_own_origin(origin, request))
}

/// True if the host and port are those of the request. `https` matches a request with `http` too, since TLS may end at
/// a proxy in front; an attacker who can serve `https` for this host controls the site anyway.
fn is_own_origin(origin: &[u8], request: &Request<'_>) -> bool {
    let (Ok(origin), Some(authority)) = (std::str::from_utf8(origin), request.authority) else {
        return false;
    };
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => default_port(true),
        "http" if request.scheme == Some(b"http") => default_port(false),
        _ => return false,
    };
    let Ok(authority) = std::str::from_utf8(authority) else { return false };
    let bare = |authority: &str| match split_port(authority) {
        (host, port) if port == default_port => host.to_ascii_lowercase(),
        _ => authority.to_ascii_lowercase(),
    };
    let host = bare(host);
    !host.is_empty() && host == bare(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_methods_need_a_proof_of_origin() {
        let check = |method: &str, fields: &[(&str, &str)], expected: bool| {
            let pseudo = [(":method", method), (":scheme", "http"), (":authority", "App.example:8080")];
            let pairs = pseudo.iter().chain(fields).map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(is_shown(&Request::new(pairs, None)), expected, "{method} {fields:?}");
        };
        check("GET", &[], true);
        check("HEAD", &[("origin", "https://evil.example")], true);
        check("GET", &[("upgrade", "websocket")], false);
        check("GET", &[("upgrade", "websocket"), ("origin", "http://app.example:8080")], true);
        check("POST", &[], false);
        check("POST", &[("sec-fetch-site", "same-origin")], true);
        check("POST", &[("sec-fetch-site", "same-site")], false);
        check("POST", &[("sec-fetch-site", "none")], false);
        check("POST", &[("sec-fetch-site", "cross-site"), ("origin", "http://app.example:8080")], false);
        check("POST", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false);
        check("POST", &[("origin", "http://app.example:8080")], true);
        check("DELETE", &[("origin", "https://app.example:8080")], true);
        check("POST", &[("origin", "http://app.example")], false);
        check("POST", &[("origin", "http://app.example:8080.evil.example")], false);
        check("POST", &[("origin", "http://evil.example")], false);
        check("POST", &[("origin", "null")], false);
        check("POST", &[("origin", "")], false);
        check("POST", &[("origin", "ftp://app.example:8080")], false);
        check("get", &[], false);
        check("CONNECT", &[("sec-fetch-site", "same-origin")], true);
    }

    #[test]
    fn an_origin_without_host_is_not_the_own_one() {
        for authority in ["", ":443", "app.example"] {
            for origin in ["https://", "https://:443"] {
                let pairs = [
                    (":method", "POST"),
                    (":scheme", "https"),
                    (":authority", authority),
                    ("origin", origin),
                ];
                let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                assert!(!is_shown(&Request::new(pairs, None)), "{origin} at {authority:?}");
            }
        }
    }
}
