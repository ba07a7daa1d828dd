//! DPoP proofs: proofs of possession of a key ([RFC 9449 §4](https://www.rfc-editor.org/rfc/rfc9449#section-4)).

use std::time::Duration;

use hmac_sha256::Hash;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

use super::confirmation::decode;
use super::target::Origin;
use crate::authn::Context;
use crate::cache::replays::JtiUse;
use crate::http::request::Request;
use crate::jose::jwk::{Algorithm, Algorithms, Thumbprint, VerifyingKey, thumbprint};
use crate::jose::jwt::{Jws, TokenError};
use crate::json;
use crate::timestamp::NumericDate;

/// Maximum length of a proof, in bytes. An RSA key of 4096 bits, its signature, and a URL of 4 KiB fit.
const MAX_PROOF_BYTES: usize = 8192;

/// Maximum length of `jti`, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// Seconds by which the clock of a client may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(10);

/// The check of proofs.
pub struct Dpop {
    origin: Origin,
    max_age: Duration,
    algorithms: Algorithms,
}

impl Dpop {
    /// Algorithms that proofs may use by default: all except symmetric ones, which prove nothing
    /// ([RFC 9449 §11.6](https://www.rfc-editor.org/rfc/rfc9449#section-11.6)), and those that are rarely used and
    /// expensive on a host that does not verify them natively.
    pub const DEFAULT_ALGORITHMS: Algorithms =
        Algorithms::ASYMMETRIC.without(Algorithms::RSA_PSS).without(Algorithms::only(Algorithm::ES256K));

    /// Creates a check for proofs for URLs of `origin`. A proof is valid for `max_age` seconds.
    pub fn new(origin: Origin, max_age: Duration) -> Self {
        Dpop { origin, max_age, algorithms: Dpop::DEFAULT_ALGORITHMS }
    }

    /// Sets the algorithms that proofs may use. Symmetric ones are ignored.
    pub fn with_algorithms(self, algorithms: Algorithms) -> Self {
        Dpop { algorithms: algorithms.and(Algorithms::ASYMMETRIC), ..self }
    }

    /// Returns the value of `algs` in a challenge
    /// ([RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)): the algorithms that proofs may use, the
    /// most common one first.
    pub fn algs(&self) -> String {
        let first = Algorithms::only(Algorithm::ES256).and(self.algorithms);
        let names: Vec<&str> =
            first.iter().chain(self.algorithms.without(first).iter()).map(Algorithm::name).collect();
        names.join(" ")
    }

    /// Checks that the request proves possession of the key with this thumbprint, for this token. Makes all checks of
    /// [RFC 9449 §4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3) except for replays, for which it returns the
    /// use of the proof. Cheap checks come first.
    ///
    /// # Errors
    /// Fails if the proof is missing, malformed, too old or too far in the future, or made for another request, token
    /// or key, or if its signature is invalid.
    pub fn prove(
        &self,
        key: &Thumbprint,
        token: &[u8],
        request: &Request<'_>,
        context: Context<'_>,
    ) -> Result<JtiUse, TokenError> {
        let mut fields = request.values("dpop");
        let field = match (fields.next(), fields.next()) {
            (None, _) => return Err(TokenError::NotBound),
            (Some(field), None) => field,
            (Some(_), Some(_)) => return Err(TokenError::BadProof),
        };
        let proof = Proof::parse(field).ok_or(TokenError::BadProof)?;
        if !bool::from(proof.thumbprint.ct_eq(key)) {
            return Err(TokenError::NotBound);
        }
        if !self.is_for(&proof, token, request) {
            return Err(TokenError::ProofMismatch);
        }
        if context.now.since(proof.made) > self.max_age || proof.made.since(context.now) > MAX_AHEAD {
            return Err(TokenError::StaleProof);
        }
        let signed = proof.jws.verify_with(&proof.key, self.algorithms, context.signatures);
        signed.map_err(|_| TokenError::BadProof)?;
        Ok(proof.used(context.now))
    }

    /// True if the proof is for this request and this token.
    fn is_for(&self, proof: &Proof<'_>, token: &[u8], request: &Request<'_>) -> bool {
        let target = request.path.unwrap_or_default();
        let is_for_token = proof.token.ct_eq(&Hash::hash(token));
        proof.claim("htm").is_some_and(|method| method.as_bytes() == request.method)
            && proof.claim("htu").is_some_and(|uri| self.origin.is_address_of(uri, target))
            && bool::from(is_for_token)
    }
}

/// A well-formed proof that has not been verified.
struct Proof<'a> {
    jws: Jws<'a>,
    key: VerifyingKey,
    thumbprint: Thumbprint,
    claims: Map<String, Value>,
    made: NumericDate,
    /// Digest of the token that the proof is for.
    token: [u8; 32],
}

impl<'a> Proof<'a> {
    /// Parses a JWS of type `dpop+jwt` with the public key of an asymmetric algorithm and all required claims.
    fn parse(field: &'a [u8]) -> Option<Self> {
        if field.len() > MAX_PROOF_BYTES {
            return None;
        }
        let jws = Jws::parse(field).ok()?;
        if jws.header().typ() != Some("dpop+jwt") {
            return None;
        }
        let jwk = jws.header().member("jwk")?;
        let key = VerifyingKey::from_jwk(jwk).ok().filter(|key| !key.is_symmetric())?;
        let thumbprint = thumbprint(jwk)?;
        let Value::Object(claims) = json::parse(jws.payload()).ok()? else { return None };
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let is_whole = text("htm").is_some() && text("htu").is_some();
        text("jti").filter(|jti| is_whole && (1..=MAX_JTI_BYTES).contains(&jti.len()))?;
        let made = NumericDate::from_json(claims.get("iat")?)?;
        let token = decode(text("ath")?)?;
        Some(Proof { jws, key, thumbprint, claims, made, token })
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Returns the use of the proof. Clients choose `jti`, so it identifies a proof only together with the key.
    fn used(&self, now: NumericDate) -> JtiUse {
        let mut hash = Hash::new();
        hash.update(self.thumbprint);
        hash.update(self.claim("jti").unwrap_or_default());
        let digest = hash.finalize();
        let id = digest.first_chunk().map_or(0, |start| u128::from_be_bytes(*start));
        let key = self.thumbprint.first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
        JtiUse { id, key, made: self.made, used: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::NullHost;
    use crate::jose::jwt::SoftwareVerifier;

    /// Proof of RFC 9449 §4.1, for a token request, so it has no `ath`.
    const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMz\
        R0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQ\
        SIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1w\
        bGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FN\
        yJK70nfbV37xRZT3Lg";

    /// Proof of RFC 9449 §7.1.
    const RESOURCE_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgt\
        MzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
        QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGF\
        tcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OU\
        lpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    const TOKEN: &[u8] = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn check(fields: &[&str], changed: &[(&str, &str)], expected: Result<(), TokenError>) {
        let value = |name: &str, default: &'static str| {
            changed
                .iter()
                .find(|(found, _)| *found == name)
                .map_or(default.to_owned(), |(_, value)| (*value).to_owned())
        };
        let origin = Origin::parse(&value("origin", "https://resource.example.org")).unwrap();
        let now: f64 = value("now", "1562262618").parse().unwrap();
        let (method, path) = (value("method", "GET"), value("path", "/protectedresource"));
        let pairs = [(":method", method.as_str()), (":path", path.as_str())].into_iter();
        let pairs = pairs.chain(fields.iter().map(|field| ("dpop", *field)));
        let request = Request::new(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())), None);
        let context = Context {
            now: NumericDate::from_seconds(now).unwrap(),
            signatures: &SoftwareVerifier,
            host: &NullHost,
            may_wait: false,
        };
        let key = decode(&value("key", KEY)).unwrap();
        let token = value("token", std::str::from_utf8(TOKEN).unwrap());
        let found =
            Dpop::new(origin, Duration::from_secs(60)).prove(&key, token.as_bytes(), &request, context);
        assert_eq!(found.map(|_| ()), expected, "{changed:?}");
    }

    #[test]
    fn those_of_the_rfc() {
        use TokenError::*;
        let good = [RESOURCE_REQUEST];
        check(&good, &[], Ok(()));
        check(&good, &[("path", "/protectedresource?a=b")], Ok(()));
        check(&good, &[("now", "1562262678")], Ok(()));
        check(&good, &[("now", "1562262679")], Err(StaleProof));
        check(&good, &[("now", "1562262608")], Ok(()));
        check(&good, &[("now", "1562262607")], Err(StaleProof));
        check(&good, &[("method", "POST")], Err(ProofMismatch));
        check(&good, &[("method", "get")], Err(ProofMismatch));
        check(&good, &[("path", "/protectedresource/")], Err(ProofMismatch));
        check(&good, &[("origin", "https://server.example.com")], Err(ProofMismatch));
        check(&good, &[("token", "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxV")], Err(ProofMismatch));
        check(&good, &[("key", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")], Err(NotBound));
        check(&[&RESOURCE_REQUEST.replace("JpLjA", "JpLjQ")], &[], Err(BadProof));
        check(&[], &[], Err(NotBound));
        check(&[RESOURCE_REQUEST, RESOURCE_REQUEST], &[], Err(BadProof));
        check(&[&format!("{RESOURCE_REQUEST},{RESOURCE_REQUEST}")], &[], Err(BadProof));
        let token_request =
            [("origin", "https://server.example.com"), ("path", "/token"), ("method", "POST")];
        check(&[TOKEN_REQUEST], &token_request, Err(BadProof));
    }

    #[test]
    fn the_signature_of_the_one_without_ath_holds_too() {
        let jws = Jws::parse(TOKEN_REQUEST.as_bytes()).unwrap();
        let key = VerifyingKey::from_jwk(jws.header().member("jwk").unwrap()).unwrap();
        assert_eq!(jws.verify_with(&key, Algorithms::ALL, &SoftwareVerifier), Ok(()));
    }

    #[test]
    fn uses_differ_by_key_and_by_jti() {
        let proof = Proof::parse(RESOURCE_REQUEST.as_bytes()).unwrap();
        let of = |change: &dyn Fn(&mut Proof<'_>)| {
            let mut changed = Proof::parse(RESOURCE_REQUEST.as_bytes()).unwrap();
            change(&mut changed);
            changed.used(NumericDate::EPOCH)
        };
        let proof = proof.used(NumericDate::EPOCH);
        assert_eq!(of(&|_| {}), proof);
        assert_eq!(of(&|proof| drop(proof.claims.insert("htu".to_owned(), "x".into()))), proof);
        assert_ne!(of(&|proof| drop(proof.claims.insert("jti".to_owned(), "x".into()))).id, proof.id);
        let other = of(&|proof| proof.thumbprint = [0; 32]);
        assert!(other.id != proof.id && other.key != proof.key);
    }

    /// Returns the same proof with changed claims and the old signature, for checks that come before the signature.
    fn with_claims(change: impl Fn(&mut Map<String, Value>)) -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let parts: Vec<&str> = RESOURCE_REQUEST.split('.').collect();
        let mut claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        change(&mut claims);
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).unwrap());
        [parts[0], &claims, parts[2]].join(".")
    }

    #[test]
    fn what_a_proof_is_refused_for_that_has_been_used_or_has_no_room() {
        use crate::authn::Presented;
        use crate::authn::sender_constraint::{BindingMode, SenderConstraint};
        use crate::cache::replays::ReplayCache;
        use crate::http::location::CredentialLocation;
        use crate::jose::claims::Claims;
        use crate::response::Reason;
        let origin = Origin::parse("https://resource.example.org").unwrap();
        let bound =
            SenderConstraint::new(BindingMode::Dpop, Some(Dpop::new(origin, Duration::from_secs(60))));
        let claims = Claims::from_json(serde_json::json!({"cnf": {"jkt": KEY}})).unwrap();
        let location =
            CredentialLocation::Field { name: "authorization".to_owned(), scheme: Some("DPoP".to_owned()) };
        let presented = Presented { credential: TOKEN, location: &location };
        let pairs = [(":method", "GET"), (":path", "/protectedresource"), ("dpop", RESOURCE_REQUEST)];
        let pairs = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let request = Request::new(pairs.into_iter(), None);
        let prove = |now: f64, replays: &ReplayCache| {
            let context = Context {
                now: NumericDate::from_seconds(now).unwrap(),
                signatures: &SoftwareVerifier,
                host: &NullHost,
                may_wait: false,
            };
            bound.prove(&claims, presented, &request, context, replays)
        };
        let refused = |error| Err(Reason::InvalidToken(error));
        // The clock is 8 seconds behind the proof, or correct.
        let (ahead, right) = (1_562_262_610.0, 1_562_262_618.0);
        let full = ReplayCache::with_room_for(10, 0, 0);
        assert_eq!(prove(ahead, &full), refused(TokenError::StaleProof));
        let mut replays = ReplayCache::with_room_for(10, 1, 1);
        for now in [ahead, right] {
            let proof = prove(now, &replays).unwrap().unwrap();
            assert!(prove(now, &full).is_ok() == (now == right));
            let mut replays = ReplayCache::with_room_for(10, 1, 1);
            replays.note(proof);
            assert_eq!(prove(right, &replays), refused(TokenError::ReplayedProof));
        }
        replays.note(prove(ahead, &replays).unwrap().unwrap());
        assert_eq!(prove(ahead, &replays), refused(TokenError::ReplayedProof));
        assert_eq!(prove(right, &replays), refused(TokenError::ReplayedProof));
    }

    #[test]
    fn proofs_and_their_jti_are_bounded_in_length() {
        let is_read = |proof: &str| Proof::parse(proof.as_bytes()).is_some();
        let padded = |length: usize| {
            with_claims(|claims| drop(claims.insert("pad".to_owned(), "x".repeat(length).into())))
        };
        let longest = (5000..6000).map(padded).take_while(|proof| proof.len() <= 8192).last().unwrap();
        assert!(longest.len() >= 8190 && is_read(&longest));
        let too_long = (5000..6000).map(padded).find(|proof| proof.len() > 8192).unwrap();
        assert!(too_long.len() <= 8195 && !is_read(&too_long));
        let with_jti = |length: usize| {
            with_claims(|claims| drop(claims.insert("jti".to_owned(), "x".repeat(length).into())))
        };
        for (length, expected) in [(0, false), (1, true), (256, true), (257, false)] {
            assert_eq!(is_read(&with_jti(length)), expected, "{length}");
        }
    }
}
