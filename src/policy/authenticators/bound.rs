//! `bound` and `dpop`: what shows that a token is used by whom it was issued to.

use super::super::build::{Builder, WarningKind};
use crate::config::{self, ConfigErrorKind};
use crate::scheme::bound::{Bound, Demand, Dpop, Origin};

impl Builder<'_> {
    /// `path` is that of the authenticator whose members the two are.
    pub(super) fn bound(
        &mut self,
        path: &str,
        bound: config::Bound,
        dpop: Option<&config::Dpop>,
    ) -> Option<Bound> {
        let demand = match bound {
            config::Bound::Auto => Demand::Auto,
            config::Bound::Dpop => Demand::Dpop,
            config::Bound::Mtls => Demand::Mtls,
            config::Bound::Any => Demand::Any,
            config::Bound::Ignore => Demand::Ignore,
        };
        let Some(dpop) = dpop else {
            match demand {
                Demand::Dpop => {
                    let expected = "`dpop: {origin: …}` beside it: the origin that clients see";
                    self.error(format!("{path}.bound"), ConfigErrorKind::Expected(expected));
                    return None;
                }
                Demand::Any => self.warn(format!("{path}.bound"), WarningKind::NoProofs),
                Demand::Auto | Demand::Mtls | Demand::Ignore => {}
            }
            return Some(Bound::new(demand, None));
        };
        if dpop.max_age.as_seconds() <= 0.0 {
            self.error(format!("{path}.dpop.max_age"), ConfigErrorKind::Expected("more than 0s"));
        }
        let origin = self.checked(&format!("{path}.dpop.origin"), Origin::parse(&dpop.origin))?;
        Some(Bound::new(demand, Some(Dpop::new(origin, dpop.max_age.as_seconds()))))
    }
}
