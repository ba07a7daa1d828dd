use super::*;

/// All reasons, with all that a client can be told of a token.
pub const ALL: &[Reason] = &[
    Reason::MissingCredentials,
    Reason::UnsupportedScheme,
    Reason::AmbiguousCredentials,
    Reason::MalformedCredentials,
    Reason::InvalidCredentials,
    Reason::InvalidToken(TokenError::Expired),
    Reason::InvalidToken(TokenError::NotYetValid),
    Reason::InvalidToken(TokenError::WrongIssuer),
    Reason::InvalidToken(TokenError::UnknownKey),
    Reason::InvalidToken(TokenError::AlgorithmNotAllowed),
    Reason::InvalidToken(TokenError::BadSignature),
    Reason::InvalidToken(TokenError::UnsupportedCritical),
    Reason::InvalidToken(TokenError::WrongAudience),
    Reason::InvalidToken(TokenError::WrongType),
    Reason::InvalidToken(TokenError::TooLongLived),
    Reason::InvalidToken(TokenError::Revoked),
    Reason::InsufficientScope,
    Reason::NotAuthorized,
    Reason::CrossOrigin,
    Reason::NoRule,
    Reason::RuleDenied,
    Reason::AmbiguousPath,
    Reason::BadAuthority,
    Reason::Unavailable,
];
