//! What a scheme that stands around another one leaves to that.

/// The methods of `Scheme` that go on to `self.scheme` as they are: one list for all who stand around a scheme, so that
/// none keeps a default where the scheme has something of its own.
macro_rules! leaves_to_scheme {
    () => {
        fn proof_places(&self) -> &[authgate::http::location::Place] {
            self.scheme.proof_places()
        }

        fn challenges(
            &self,
            realm: &authgate::http::challenge::Realm,
            surroundings: authgate::authn::Surroundings<'_>,
            nonces: &mut authgate::cache::nonces::Nonces,
        ) -> Vec<authgate::http::challenge::Challenge> {
            self.scheme.challenges(realm, surroundings, nonces)
        }

        fn is_bearer(&self) -> bool {
            self.scheme.is_bearer()
        }

        fn takes_unclaimed(&self) -> bool {
            self.scheme.takes_unclaimed()
        }

        fn source(&self) -> authgate::remote::source::Source {
            self.scheme.source()
        }

        fn one_time(&self) -> Option<&dyn authgate::authn::OneTime> {
            self.scheme.one_time().map(|_| self as &dyn authgate::authn::OneTime)
        }

        fn ends(&self) -> Vec<(&str, authgate::timestamp::NumericDate)> {
            self.scheme.ends()
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
