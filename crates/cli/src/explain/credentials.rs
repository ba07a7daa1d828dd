//! The credentials that each authenticator of the rule found, and the checks of each, step by step.

use authgate::http::location::{CredentialLocation, Found};
use authgate::http::request::Request;
use authgate::jose::jwt::{Jwt, TokenError};
use authgate::policy::{Policy, Protection};
use authgate::principal::AuthenticatorId;
use authgate::response::Reason;
use authgate::timestamp::NumericDate;
use serde::Serialize;
use serde_json::Value;

use crate::time;
use crate::trace::{Check, Event};

/// The result of one authenticator.
#[derive(Serialize)]
pub struct Tried {
    pub name: String,
    pub scheme: &'static str,
    pub places: Vec<Looked>,
    pub steps: Vec<Step>,
    /// The verdict, in a few words.
    pub verdict: String,
    #[serde(rename = "holds")]
    pub is_accepted: bool,
}

/// A credential location, and a description of the credential there, without secrets.
#[derive(Serialize)]
pub struct Looked {
    pub place: String,
    pub found: String,
}

/// A check and its result.
#[derive(Serialize)]
pub struct Step {
    pub what: &'static str,
    #[serde(rename = "holds")]
    pub is_accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The results of the authenticators of a rule, in the order of the rule. `assumed` is the subject of a principal that is
/// assumed to be verified.
pub fn tried(
    policy: &Policy,
    protection: &Protection,
    request: &Request<'_>,
    heard: &[Event],
    now: NumericDate,
    assumed: &dyn Fn(AuthenticatorId) -> Option<String>,
) -> Vec<Tried> {
    let members = protection.members.iter().filter_map(|id| Some((*id, policy.authenticator(*id)?)));
    let tried = members.map(|(at, authenticator)| {
        let scheme = authenticator.scheme.name();
        let heard: Vec<&Check> =
            heard.iter().filter(|heard| heard.authenticator == at).map(|heard| &heard.check).collect();
        let locations: Vec<Looked> = authenticator
            .scheme
            .locations()
            .iter()
            .map(|place| Looked {
                place: described(place),
                found: found(&place.find(request), scheme == "jwt", now),
            })
            .collect();
        let finds_some = locations.iter().any(|looked| looked.found != NOTHING);
        let (verdict, is_accepted) = match assumed(at) {
            Some(subject) => (format!("assumed: {subject:?}"), true),
            None => verdict(&heard, finds_some),
        };
        Tried {
            name: authenticator.name.clone(),
            scheme,
            places: locations,
            steps: steps(&heard, scheme, policy.issuer_mismatch(request, at)),
            verdict,
            is_accepted,
        }
    });
    tried.collect()
}

fn described(place: &CredentialLocation) -> String {
    match place {
        CredentialLocation::Field { name, scheme: Some(scheme) } => format!("{name}: {scheme} …"),
        CredentialLocation::Field { name, scheme: None } => format!("{name}: …"),
        CredentialLocation::Query(name) => format!("?{name}=…"),
        CredentialLocation::Cookie(name) => format!("cookie {name}=…"),
    }
}

const NOTHING: &str = "nothing";

fn found(found: &Found<'_>, is_token: bool, now: NumericDate) -> String {
    match found {
        Found::Nothing => NOTHING.to_owned(),
        Found::Malformed => "malformed".to_owned(),
        Found::Ambiguous => "several values".to_owned(),
        Found::Value(value) if is_token => token(value, now),
        Found::Value(value) => format!("{} bytes", value.len()),
    }
}

/// Describes a token without the parts that make it usable.
fn token(token: &[u8], now: NumericDate) -> String {
    let jwt = match Jwt::parse(token) {
        Ok(jwt) => jwt,
        Err(error) => return format!("{} bytes, not a JWT: {error}", token.len()),
    };
    let header = jwt.jws().header();
    let mut parts = vec![format!("a JWT of {} bytes", token.len())];
    parts.extend(header.algorithm().map(|algorithm| format!("alg {}", algorithm.name())));
    parts.extend(header.kid().map(|kid| format!("kid {kid:?}")));
    for name in ["iss", "aud"] {
        parts.extend(jwt.claims().find(name).map(|value| format!("{name} {value}")));
    }
    let expires = jwt.claims().find("exp").and_then(Value::as_f64);
    parts.extend(
        expires.map(|exp| format!("exp {} ({})", time::rfc3339(exp), time::distance(now.seconds(), exp))),
    );
    parts.join(", ")
}

fn verdict(heard: &[&Check], finds_some: bool) -> (String, bool) {
    let known = heard.iter().rev().find_map(|check| match check {
        Check::Credential(Ok(known)) => Some(known),
        _ => None,
    });
    match (heard.last(), known) {
        (Some(Check::Credential(Ok(_)) | Check::Possession(Ok(()))), Some(known)) => {
            (format!("verified: {:?}", known.subject), true)
        }
        (Some(Check::Request(Ok(())) | Check::Credential(Ok(_)) | Check::Possession(Ok(()))), _) => {
            ("verified".to_owned(), true)
        }
        (
            Some(
                Check::Credential(Err(reason)) | Check::Request(Err(reason)) | Check::Possession(Err(reason)),
            ),
            _,
        ) => (coded(*reason), false),
        (None, _) if finds_some => {
            ("not checked: meant for another authenticator, or not needed".to_owned(), false)
        }
        (None, _) => ("no credentials".to_owned(), false),
    }
}

/// The code and detail of a reason.
pub fn coded(reason: Reason) -> String {
    match reason.detail_code() {
        Some(detail) => format!("{}/{detail}", reason.code()),
        None => reason.code().to_owned(),
    }
}

fn steps(heard: &[&Check], scheme: &str, issuers: Option<String>) -> Vec<Step> {
    let mut steps = Vec::new();
    for check in heard {
        match check {
            Check::Request(Ok(())) => {}
            Check::Request(Err(reason)) => {
                steps.push(Step { what: "same origin", is_accepted: false, why: Some(coded(*reason)) });
            }
            Check::Credential(result) if scheme == "jwt" => {
                token_steps(result.as_ref().err(), issuers.as_deref(), &mut steps);
            }
            Check::Credential(result) => {
                let why = result.as_ref().err().map(|reason| coded(*reason));
                steps.push(Step { what: "credential", is_accepted: why.is_none(), why });
            }
            // An opaque token is seldom bound, so success has no meaning.
            Check::Possession(Ok(())) if scheme != "jwt" => {}
            Check::Possession(result) => {
                let why = result.as_ref().err().map(|reason| coded(*reason));
                steps.push(Step { what: "proof of possession", is_accepted: why.is_none(), why });
            }
        }
    }
    steps
}

/// The checks of `Validation::validate`, in order.
const TOKEN_STEPS: &[&str] = &[
    "format",
    "no critical extensions",
    "issuer",
    "key and algorithm",
    "not expired",
    "signature",
    "type",
    "claims",
];

fn token_steps(failed: Option<&Reason>, issuers: Option<&str>, steps: &mut Vec<Step>) {
    let fails_at = failed.map(|reason| match reason {
        Reason::InvalidToken(TokenError::UnsupportedCritical) => 1,
        Reason::InvalidToken(TokenError::WrongIssuer) => 2,
        Reason::InvalidToken(TokenError::UnknownKey | TokenError::AlgorithmNotAllowed) => 3,
        Reason::InvalidToken(TokenError::Expired) => 4,
        Reason::InvalidToken(TokenError::BadSignature) => 5,
        Reason::InvalidToken(TokenError::WrongType) => 6,
        Reason::InvalidToken(_) => 7,
        _ => 0,
    });
    for (at, what) in TOKEN_STEPS.iter().enumerate() {
        let fails = fails_at == Some(at);
        let why = failed.filter(|_| fails).map(|reason| match (reason, issuers) {
            (Reason::InvalidToken(TokenError::WrongIssuer), Some(issuers)) => {
                format!("{}: {issuers}", coded(*reason))
            }
            _ => coded(*reason),
        });
        steps.push(Step { what, is_accepted: !fails, why });
        if fails {
            return;
        }
    }
}
