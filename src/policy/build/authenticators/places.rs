//! `from`: where credentials stand.

use super::super::Builder;
use crate::config::shape::List;
use crate::config::{ConfigErrorKind, TokenLocation};
use crate::http::authorization::DPOP;
use crate::http::location::Place;
use crate::http::request::is_token;

impl Builder<'_> {
    pub(super) fn places(
        &mut self,
        path: &str,
        from: Option<&List<TokenLocation>>,
        default: Place,
    ) -> Vec<Place> {
        let Some(from) = from else { return vec![default] };
        if from.0.is_empty() {
            self.error(path, ConfigErrorKind::Expected("at least one place"));
        }
        let mut places: Vec<Place> = Vec::new();
        for (at, location) in from.0.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(place) = self.place(&path, location) else { continue };
            if places.iter().any(|known| known.overlaps(&place) && !known.is_told_from(&place)) {
                self.error(path, ConfigErrorKind::Expected("a place that does not stand in the list yet"));
            } else {
                places.push(place);
            }
        }
        places
    }

    fn place(&mut self, path: &str, location: &TokenLocation) -> Option<Place> {
        const NO_TOKENS_THERE: &[&str] =
            &["host", "cookie", "connection", "content-length", "transfer-encoding", "dpop"];
        if location.scheme.is_some() && location.header.is_none() {
            self.error(format!("{path}.scheme"), ConfigErrorKind::Expected("`header` beside it"));
        }
        match (&location.header, &location.query, &location.cookie) {
            (Some(name), None, None) => {
                let lower = name.to_ascii_lowercase();
                if !is_token(name) || NO_TOKENS_THERE.contains(&lower.as_str()) {
                    let expected = "the name of a field that can hold a token, such as x-jwt";
                    self.error(format!("{path}.header"), ConfigErrorKind::Expected(expected));
                    return None;
                }
                if location.scheme.as_ref().is_some_and(|scheme| !is_token(scheme)) {
                    self.error(
                        format!("{path}.scheme"),
                        ConfigErrorKind::Expected("an auth-scheme, such as Bearer"),
                    );
                    return None;
                }
                Some(Place::Field { name: lower, scheme: location.scheme.clone() })
            }
            (None, Some(name), None) if !name.is_empty() => Some(Place::Query(name.clone())),
            (None, None, Some(name)) if is_token(name) => Some(Place::Cookie(name.clone())),
            (None, Some(_), None) => {
                self.error(
                    format!("{path}.query"),
                    ConfigErrorKind::Expected("the name of a query parameter"),
                );
                None
            }
            (None, None, Some(_)) => {
                let expected = "the name of a cookie, such as session";
                self.error(format!("{path}.cookie"), ConfigErrorKind::Expected(expected));
                None
            }
            _ => {
                self.error(path, ConfigErrorKind::ExactlyOne(&["header", "query", "cookie"]));
                None
            }
        }
    }
}

/// RFC 6750 names the scheme `Bearer`; a configuration may have tokens under another.
/// `DPoP` has a challenge of its own.
pub(super) fn challenge_scheme(places: &[Place]) -> &str {
    let mut schemes = places.iter().filter_map(Place::scheme);
    schemes.find(|scheme| !scheme.eq_ignore_ascii_case(DPOP)).unwrap_or("Bearer")
}
