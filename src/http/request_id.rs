//! The identifier of a request, which proxies and logs use for correlation.

use super::header_name::only_value;
use super::request::Request;

/// The value of `x-request-id` if it is a UUID ([RFC 9562 §4](https://www.rfc-editor.org/rfc/rfc9562#section-4)), and
/// therefore safe in replies and log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// Reads the identifier; `None` if the header is absent, repeated, or not a UUID.
    pub fn of(request: &Request<'_>) -> Option<RequestId> {
        let text: [u8; 36] = only_value(request, "x-request-id").ok()??.try_into().ok()?;
        let is_uuid = text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        is_uuid.then_some(RequestId(text))
    }

    /// The UUID in its textual form.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_is_repeated() {
        const ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        let check = |values: &[&str], expected: Option<&str>| {
            let pairs = values.iter().map(|value| (&b"x-request-id"[..], value.as_bytes()));
            let id = RequestId::of(&Request::new(pairs, None));
            assert_eq!(id.as_ref().map(RequestId::as_str), expected, "{values:?}");
        };
        check(&[ID], Some(ID));
        check(&["7C9E6679-7425-40DE-944B-E07FC1F90AE7"], Some("7C9E6679-7425-40DE-944B-E07FC1F90AE7"));
        check(&[], None);
        check(&[ID, ID], None);
        check(&["7c9e6679-7425-40de-944b-e07fc1f90ae"], None);
        check(&["7c9e6679-7425-40de-944b-e07fc1f90ae7 "], None);
        check(&["7c9e6679_7425-40de-944b-e07fc1f90ae7"], None);
        check(&["7c9e6679-7425-40de-944b-e07fc1f90aeg"], None);
        check(&["<b>e6679-7425-40de-944b-e07fc1f90ae7"], None);
        check(&["7c9e667\u{e9}-7425-40de-944b-e07fc1f90ae"], None);
    }
}
