//! What a scheme that stands around another one leaves to that.

/// The methods of `Scheme` that go on to `self.scheme` as they are: one list for all who stand around a scheme, so that
/// none keeps a default where the scheme has something of its own.
macro_rules! leaves_to_scheme {
    () => {
        fn proof_locations(&self) -> &[authgate::http::location::CredentialLocation] {
            self.scheme.proof_locations()
        }

        fn challenges(
            &self,
            realm: &authgate::http::challenge::Realm,
            context: authgate::authn::Context<'_>,
            nonces: &mut authgate::cache::nonces::Nonces,
        ) -> Vec<authgate::http::challenge::Challenge> {
            self.scheme.challenges(realm, context, nonces)
        }

        fn is_bearer(&self) -> bool {
            self.scheme.is_bearer()
        }

        fn accepts_unclaimed(&self) -> bool {
            self.scheme.accepts_unclaimed()
        }

        fn source(&self) -> authgate::remote::state::RemoteState {
            self.scheme.source()
        }

        fn one_time(&self) -> Option<&dyn authgate::authn::OneTime> {
            self.scheme.one_time().map(|_| self as &dyn authgate::authn::OneTime)
        }

        fn expiries(&self) -> Vec<(&str, authgate::timestamp::NumericDate)> {
            self.scheme.expiries()
        }

        fn has_fixed_secrets(&self) -> bool {
            self.scheme.has_fixed_secrets()
        }

        fn failures_are_slow(&self) -> bool {
            self.scheme.failures_are_slow()
        }
    };
}
pub(super) use leaves_to_scheme;
