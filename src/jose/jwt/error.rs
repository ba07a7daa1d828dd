//! Errors of tokens, and the part of them that a client may see.

use std::fmt;

use crate::json::JsonErrorKind;

/// A part of a compact JWS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The first part.
    Header,
    /// The second part.
    Payload,
    /// The third part.
    Signature,
}

/// Reason why bytes are not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// The number of dots is not two. (A JWE has four.)
    NotThreeParts,
    /// A part is not canonical base64url without padding.
    Base64(Part),
    /// A part is not strict JSON.
    Json(Part, JsonErrorKind),
    /// A part is JSON, but not an object.
    NotAnObject(Part),
    /// `alg` is missing or not a string.
    Alg,
    /// `kid` is not a string.
    Kid,
    /// `typ` is not a string.
    Typ,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Header => "header",
            Part::Payload => "payload",
            Part::Signature => "signature",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Malformed::NotThreeParts => "expected three parts with dots between them",
            Malformed::Base64(part) => {
                return write!(f, "expected the {part} in base64url without padding");
            }
            Malformed::Json(part, JsonErrorKind::DuplicateMember) => {
                return write!(f, "an object of the {part} has a duplicate member name");
            }
            Malformed::Json(part, JsonErrorKind::TooDeep) => {
                return write!(f, "the {part} nests deeper than {} levels", crate::json::MAX_DEPTH);
            }
            Malformed::Json(part, _) => return write!(f, "expected JSON in the {part}"),
            Malformed::NotAnObject(part) => return write!(f, "expected a JSON object in the {part}"),
            Malformed::Alg => "expected the string `alg` in the header",
            Malformed::Kid => "expected `kid` in the header to be a string",
            Malformed::Typ => "expected `typ` in the header to be a string",
        };
        f.write_str(why)
    }
}

impl std::error::Error for Malformed {}

/// Reason why a signature is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JwsError {
    /// The header requires an extension (`crit`, `b64`). No extension is supported.
    UnsupportedCritical,
    /// No key has the `kid` of the token. A newly fetched set may have one.
    UnknownKey,
    /// `alg` is not supported, not in the allow-list, or does not fit the keys.
    AlgorithmNotAllowed,
    /// No candidate key verifies the signature.
    BadSignature,
}

/// The claim that an error is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// `sub`.
    Sub,
    /// `aud`.
    Aud,
    /// `exp`.
    Exp,
    /// `nbf`.
    Nbf,
    /// `iat`.
    Iat,
    /// `jti`.
    Jti,
    /// The claim that the configuration uses as the subject.
    Subject,
    /// The required claim with this index.
    Required(usize),
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Claim::Sub => "`sub`",
            Claim::Aud => "`aud`",
            Claim::Exp => "`exp`",
            Claim::Nbf => "`nbf`",
            Claim::Iat => "`iat`",
            Claim::Jti => "`jti`",
            Claim::Subject => "the claim of the subject",
            Claim::Required(_) => "a required claim",
        })
    }
}

/// Reason why a well-formed token is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// The header requires an extension (`crit`, `b64`). No extension is supported.
    #[error("its header requires an extension that is not supported")]
    UnsupportedCritical,
    /// `iss` is not one of the issuers.
    #[error("it is from another issuer")]
    WrongIssuer,
    /// No key of the issuer has the `kid`.
    #[error("no key of the issuer has its `kid`")]
    UnknownKey,
    /// `alg` is not allowed.
    #[error("its `alg` is not allowed")]
    AlgorithmNotAllowed,
    /// `exp` is in the past.
    #[error("it has expired")]
    Expired,
    /// The signature does not verify.
    #[error("its signature does not verify")]
    BadSignature,
    /// `typ` is not an accepted type.
    #[error("its `typ` is not accepted")]
    WrongType,
    /// A claim has the wrong type or is out of range.
    #[error("{0} is of the wrong type or out of range")]
    MalformedClaim(Claim),
    /// `nbf` or `iat` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// The time from `iat` to `exp` is longer than allowed.
    #[error("its lifetime is longer than allowed")]
    TooLongLived,
    /// `aud` names none of the audiences.
    #[error("it is meant for another audience")]
    WrongAudience,
    /// A claim is missing.
    #[error("{0} is missing")]
    MissingClaim(Claim),
    /// The required claim with this index is present, but does not match.
    #[error("a claim does not have the required value")]
    ClaimMismatch(usize),
    /// The token has more than [`MAX_SCOPES`](crate::jose::claims::MAX_SCOPES) scopes.
    #[error("it has more than 1,024 scopes")]
    TooManyScopes,
    /// The token is revoked by its `jti`, its subject or its age.
    #[error("it has been revoked")]
    Revoked,
    /// The token must be bound to a key or a certificate, but it is not bound, or not to the one that the request
    /// presents.
    #[error("it is not bound to the key or certificate of the request")]
    NotBound,
    /// The proof of possession of the key is not valid.
    #[error("the proof of possession is not valid")]
    BadProof,
    /// The proof is for another request or another token.
    #[error("the proof of possession is for another request or token")]
    ProofMismatch,
    /// The proof was made too long ago, or in the future.
    #[error("the proof of possession is too old or from the future")]
    StaleProof,
    /// The proof was used before.
    #[error("the proof of possession was used before")]
    ReplayedProof,
    /// The issuer reports that the token is not active, without a reason.
    #[error("its issuer reports it as inactive")]
    Inactive,
}

impl TokenError {
    /// Detail code for logs and metrics and, after the signature is verified, for the client.
    pub const fn code(self) -> &'static str {
        match self {
            TokenError::UnsupportedCritical => "unsupported_critical",
            TokenError::WrongIssuer => "wrong_issuer",
            TokenError::UnknownKey => "unknown_key",
            TokenError::AlgorithmNotAllowed => "algorithm_not_allowed",
            TokenError::Expired => "expired",
            TokenError::BadSignature => "bad_signature",
            TokenError::WrongType => "wrong_type",
            TokenError::MalformedClaim(_) => "malformed_claim",
            TokenError::NotYetValid => "not_yet_valid",
            TokenError::TooLongLived => "too_long_lived",
            TokenError::WrongAudience => "wrong_audience",
            TokenError::MissingClaim(_) => "missing_claim",
            TokenError::ClaimMismatch(_) => "claim_mismatch",
            TokenError::TooManyScopes => "too_many_scopes",
            TokenError::Revoked => "revoked",
            TokenError::NotBound => "not_bound",
            TokenError::BadProof => "bad_proof",
            TokenError::ProofMismatch => "proof_mismatch",
            TokenError::StaleProof => "stale_proof",
            TokenError::ReplayedProof => "replayed_proof",
            TokenError::Inactive => "inactive",
        }
    }

    /// Detail code that the client may see; `None` for nothing beyond `invalid_token`.
    ///
    /// A client that cannot sign learns only what helps an honest client: that its token is expired, or that its key or
    /// algorithm is not known here. A wrong issuer looks like an unknown key, so that clients cannot probe for issuers.
    pub const fn public_code(self) -> Option<&'static str> {
        match self {
            TokenError::UnsupportedCritical => None,
            TokenError::WrongIssuer => Some(TokenError::UnknownKey.code()),
            TokenError::UnknownKey
            | TokenError::AlgorithmNotAllowed
            | TokenError::Expired
            | TokenError::BadSignature
            | TokenError::WrongType
            | TokenError::MalformedClaim(_)
            | TokenError::NotYetValid
            | TokenError::TooLongLived
            | TokenError::WrongAudience
            | TokenError::MissingClaim(_)
            | TokenError::ClaimMismatch(_)
            | TokenError::TooManyScopes
            | TokenError::Revoked
            | TokenError::NotBound
            | TokenError::BadProof
            | TokenError::ProofMismatch
            | TokenError::StaleProof
            | TokenError::ReplayedProof
            | TokenError::Inactive => Some(self.code()),
        }
    }

    /// True if the error is in the proof of possession, and the token itself is valid.
    pub const fn is_of_proof(self) -> bool {
        matches!(
            self,
            TokenError::BadProof
                | TokenError::ProofMismatch
                | TokenError::StaleProof
                | TokenError::ReplayedProof
        )
    }
}

impl From<JwsError> for TokenError {
    fn from(error: JwsError) -> TokenError {
        match error {
            JwsError::UnsupportedCritical => TokenError::UnsupportedCritical,
            JwsError::UnknownKey => TokenError::UnknownKey,
            JwsError::AlgorithmNotAllowed => TokenError::AlgorithmNotAllowed,
            JwsError::BadSignature => TokenError::BadSignature,
        }
    }
}

impl fmt::Display for JwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TokenError::from(*self).fmt(f)
    }
}

impl std::error::Error for JwsError {}
