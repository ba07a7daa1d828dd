//! Builds `bound` and `dpop`: the binding of tokens to a key or certificate of their holder.

use super::super::{Builder, WarningKind};
use crate::authn::sender_constraint::{BindingMode, Dpop, Origin, SenderConstraint};
use crate::config::{self, ConfigErrorKind};
use crate::jose::jwk::Algorithms;

impl Builder<'_> {
    /// Builds a sender constraint. `path` is that of the authenticator.
    pub(super) fn bound(
        &mut self,
        path: &str,
        bound: config::Bound,
        dpop: Option<&config::Dpop>,
    ) -> Option<SenderConstraint> {
        let mode = match bound {
            config::Bound::Auto => BindingMode::Auto,
            config::Bound::Dpop => BindingMode::Dpop,
            config::Bound::Mtls => BindingMode::Mtls,
            config::Bound::Any => BindingMode::Any,
            config::Bound::Ignore => BindingMode::Ignore,
        };
        let Some(dpop) = dpop else {
            match mode {
                BindingMode::Dpop => {
                    let expected =
                        "`dpop: {origin: …}` in the same authenticator, with the origin that clients see";
                    self.error(format!("{path}.bound"), ConfigErrorKind::Expected(expected));
                    return None;
                }
                BindingMode::Any => self.warn(format!("{path}.bound"), WarningKind::NoProofs),
                BindingMode::Auto | BindingMode::Mtls | BindingMode::Ignore => {}
            }
            return Some(SenderConstraint::new(mode, None));
        };
        if dpop.max_age.as_seconds() <= 0.0 {
            self.error(format!("{path}.dpop.max_age"), ConfigErrorKind::Expected("more than 0s"));
        }
        let algorithms =
            self.proof_algorithms(&format!("{path}.dpop.algorithms"), dpop.algorithms.as_deref());
        let origin = self.checked(&format!("{path}.dpop.origin"), Origin::parse(&dpop.origin))?;
        let dpop = Dpop::new(origin, dpop.max_age.as_seconds()).with_algorithms(algorithms);
        Some(SenderConstraint::new(mode, Some(dpop)))
    }

    /// Parses `dpop.algorithms`.
    fn proof_algorithms(&mut self, path: &str, names: Option<&[String]>) -> Algorithms {
        let Some(names) = names else { return Dpop::DEFAULT_ALGORITHMS };
        self.non_empty(path, names);
        let mut algorithms = Algorithms::NONE;
        for (at, name) in names.iter().enumerate() {
            let path = format!("{path}[{at}]");
            match self.algorithm(&path, name) {
                Some(algorithm) if algorithm.is_symmetric() => {
                    let expected =
                        "a public-key algorithm, since a proof with a shared secret proves nothing";
                    self.error(path, ConfigErrorKind::Expected(expected));
                }
                Some(algorithm) => algorithms = algorithms.or(Algorithms::only(algorithm)),
                None => {}
            }
        }
        algorithms
    }
}
