//! What can be wrong with a token, and what of it a client may be told.

use std::fmt;

use crate::json::JsonErrorKind;

/// A part of a compact JWS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

/// Why octets are no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Not two dots: a JWE has four.
    NotThreeParts,
    /// A part is not canonical base64url without padding.
    Base64(Part),
    /// A part is not JSON as we take it.
    Json(Part, JsonErrorKind),
    /// A part is JSON but no object.
    NotAnObject(Part),
    /// `alg` is absent or no text.
    Alg,
    /// `kid` is no text.
    Kid,
    /// `typ` is no text.
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
                return write!(f, "a member name stands twice in an object of the {part}");
            }
            Malformed::Json(part, JsonErrorKind::TooDeep) => {
                return write!(f, "the {part} nests deeper than {} levels", crate::json::MAX_DEPTH);
            }
            Malformed::Json(part, _) => return write!(f, "expected JSON in the {part}"),
            Malformed::NotAnObject(part) => return write!(f, "expected a JSON object in the {part}"),
            Malformed::Alg => "expected `alg`, a text, in the header",
            Malformed::Kid => "expected `kid` in the header to be a text",
            Malformed::Typ => "expected `typ` in the header to be a text",
        };
        f.write_str(why)
    }
}

impl std::error::Error for Malformed {}

/// Why a signature does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JwsError {
    /// The header asks for an extension (`crit`, `b64`); none is understood.
    UnsupportedCritical,
    /// No key has the `kid` of the token. A set that is fetched anew may.
    UnknownKey,
    /// `alg` is not supported, not in the allow-list, or not what the keys are for.
    AlgorithmNotAllowed,
    /// No key that fits verifies the signature.
    BadSignature,
}

/// A claim that an error is about.
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
    /// The one that the configuration takes the subject from.
    Subject,
    /// The one at this place among the required claims.
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
            Claim::Subject => "the claim that holds the subject",
            Claim::Required(_) => "a claim that is required",
        })
    }
}

/// Why a well-formed token is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// The header asks for an extension (`crit`, `b64`); none is understood.
    UnsupportedCritical,
    /// `iss` is not one of the issuers.
    WrongIssuer,
    /// No key of the issuer has the `kid`.
    UnknownKey,
    /// `alg` is not allowed.
    AlgorithmNotAllowed,
    /// `exp` is past.
    Expired,
    /// The signature does not verify.
    BadSignature,
    /// `typ` is not one that is taken.
    WrongType,
    /// A claim is of the wrong type or out of range.
    MalformedClaim(Claim),
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// From `iat` to `exp` is longer than allowed.
    TooLongLived,
    /// `aud` names none of the audiences.
    WrongAudience,
    /// A claim is absent.
    MissingClaim(Claim),
    /// The required claim at this place is there, but not as required.
    ClaimMismatch(usize),
    /// It has more scopes than are read.
    TooManyScopes,
    /// Revoked by its `jti`, its subject or its age.
    Revoked,
    /// It must be bound to a key or a certificate, and is not, or is to others than the request shows.
    NotBound,
    /// What should prove the possession of its key is no proof.
    BadProof,
    /// The proof is for another request or another token.
    ProofMismatch,
    /// The proof was made too long ago, or in the future.
    StaleProof,
    /// The proof has been used before.
    ReplayedProof,
    /// Its issuer says that it is not good, and not why.
    Inactive,
}

impl TokenError {
    /// The detail code: for logs, metrics and, after the signature, the client.
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

    /// What the client may be told; None is nothing beyond `invalid_token`.
    ///
    /// Whoever cannot sign learns only what helps an honest client: that its token has expired, or that its key or
    /// algorithm is not known here. A wrong issuer looks like an unknown key, so that nobody can ask for issuers.
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

    /// Whether all is right but the proof that came with the token.
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

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::UnsupportedCritical => f.write_str("the header asks for an extension"),
            TokenError::WrongIssuer => f.write_str("it is from another issuer"),
            TokenError::UnknownKey => f.write_str("no key of the issuer has its `kid`"),
            TokenError::AlgorithmNotAllowed => f.write_str("its `alg` is not allowed"),
            TokenError::Expired => f.write_str("it has expired"),
            TokenError::BadSignature => f.write_str("its signature does not verify"),
            TokenError::WrongType => f.write_str("its `typ` is not accepted"),
            TokenError::MalformedClaim(claim) => write!(f, "{claim} is of the wrong type or out of range"),
            TokenError::NotYetValid => f.write_str("it is from the future"),
            TokenError::TooLongLived => f.write_str("it lives longer than is allowed"),
            TokenError::WrongAudience => f.write_str("it is meant for another audience"),
            TokenError::MissingClaim(claim) => write!(f, "{claim} is missing"),
            TokenError::ClaimMismatch(_) => f.write_str("a claim is not as required"),
            TokenError::TooManyScopes => f.write_str("it has more than 1,024 scopes"),
            TokenError::Revoked => f.write_str("it has been revoked"),
            TokenError::NotBound => f.write_str("it is not bound to what the request shows"),
            TokenError::BadProof => f.write_str("the proof of possession is not valid"),
            TokenError::ProofMismatch => f.write_str("the proof of possession is for something else"),
            TokenError::StaleProof => f.write_str("the proof of possession is too old or from the future"),
            TokenError::ReplayedProof => f.write_str("the proof of possession was used before"),
            TokenError::Inactive => f.write_str("its issuer says that it is not active"),
        }
    }
}

impl std::error::Error for JwsError {}
impl std::error::Error for TokenError {}
