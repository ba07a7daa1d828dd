//! CORS preflights ([Fetch §4.8](https://fetch.spec.whatwg.org/#cors-preflight-fetch)): requests without credentials
//! that a browser sends before the request of a page.

use crate::http::request::{Request, is_tchar};

/// The method that a preflight asks for. `None` for any other request, even if it resembles a preflight: a browser
/// sends OPTIONS with one `Origin` and one `Access-Control-Request-Method`, which is a token.
pub fn asked_method<'r>(request: &Request<'r>) -> Option<&'r [u8]> {
    if request.method != b"OPTIONS" {
        return None;
    }
    let is_one = |origin: &&[u8]| !origin.is_empty() && !origin.contains(&b',');
    request.value("origin").filter(is_one)?;
    let method = request.value("access-control-request-method")?;
    (!method.is_empty() && method.iter().copied().all(is_tchar)).then_some(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_preflight_is_one() {
        const ORIGIN: (&str, &str) = ("origin", "https://app.example.com");
        const ASKS: (&str, &str) = ("access-control-request-method", "PUT");
        let check = |method: &str, fields: &[(&str, &str)], expected: Option<&str>| {
            let pairs = [(":method", method)].into_iter().chain(fields.iter().copied());
            let request = Request::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())), None);
            assert_eq!(asked_method(&request), expected.map(str::as_bytes), "{method} {fields:?}");
        };
        check("OPTIONS", &[ORIGIN, ASKS], Some("PUT"));
        check(
            "OPTIONS",
            &[("Origin", "null"), ("Access-Control-Request-Method", "x-custom")],
            Some("x-custom"),
        );
        for method in ["options", "GET", "POST", ""] {
            check(method, &[ORIGIN, ASKS], None);
        }
        for fields in [
            &[][..],
            &[ORIGIN],
            &[ASKS],
            &[ORIGIN, ORIGIN, ASKS],
            &[ORIGIN, ASKS, ASKS],
            &[("origin", ""), ASKS],
            &[("origin", "https://a, https://b"), ASKS],
            &[ORIGIN, ("access-control-request-method", "")],
            &[ORIGIN, ("access-control-request-method", "PUT, GET")],
            &[ORIGIN, ("access-control-request-method", "P T")],
            &[ORIGIN, ("access_control_request_method", "PUT")],
        ] {
            check("OPTIONS", fields, None);
        }
    }
}
