//! Builds `bound` and `dpop`: the binding of tokens to a key or certificate of their holder.

use super::keys;
use crate::authn::sender_constraint::{BindingMode, Dpop, Origin, SenderConstraint};
use crate::config::context::BuildContext;
use crate::config::path::ConfigPath;
use crate::config::{self, WarningKind};
use crate::jose::jwk::Algorithms;

/// Builds a sender constraint. `at` is that of the authenticator.
pub(super) fn build(
    cx: &mut BuildContext<'_>,
    at: &ConfigPath<'_>,
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
                cx.expected(&at.member("bound"), expected);
                return None;
            }
            BindingMode::Any => cx.warn(&at.member("bound"), WarningKind::NoProofs),
            BindingMode::Auto | BindingMode::Mtls | BindingMode::Ignore => {}
        }
        return Some(SenderConstraint::new(mode, None));
    };
    let at = &at.member("dpop");
    if dpop.max_age.as_seconds() <= 0.0 {
        cx.expected(&at.member("max_age"), "more than 0s");
    }
    let algorithms = proof_algorithms(cx, &at.member("algorithms"), dpop.algorithms.as_deref());
    let origin = cx.checked(&at.member("origin"), Origin::parse(&dpop.origin))?;
    let dpop = Dpop::new(origin, dpop.max_age.as_seconds()).with_algorithms(algorithms);
    Some(SenderConstraint::new(mode, Some(dpop)))
}

/// Parses `dpop.algorithms`.
fn proof_algorithms(cx: &mut BuildContext<'_>, at: &ConfigPath<'_>, names: Option<&[String]>) -> Algorithms {
    let Some(names) = names else { return Dpop::DEFAULT_ALGORITHMS };
    cx.non_empty(at, names);
    let mut algorithms = Algorithms::NONE;
    for (index, name) in names.iter().enumerate() {
        let at = &at.index(index);
        match keys::algorithm(cx, at, name) {
            Some(algorithm) if algorithm.is_symmetric() => {
                let expected = "a public-key algorithm, since a proof with a shared secret proves nothing";
                cx.expected(at, expected);
            }
            Some(algorithm) => algorithms = algorithms.or(Algorithms::only(algorithm)),
            None => {}
        }
    }
    algorithms
}
