//! Log lines, counters and filter state of decisions.

use log::Level;

use super::instances::PluginInstance;
use super::{Filter, Host};
use crate::filter_state;
use authgate::decision::{Decision, Verdict};
use authgate::http::request::Request;
use authgate::http::request_id::RequestId;
use authgate::jose::jwt::TokenError;
use authgate::response::{Denial, Reason};
use authgate::timestamp::NumericDate;

impl<H: Host> Filter<H> {
    /// Records a decision that was carried out.
    pub(super) fn record(&self, instance: &PluginInstance, request: &Request<'_>, decision: &Decision<'_>) {
        if instance.policy.metrics
            && let Ok(mut metrics) = instance.metrics.try_borrow_mut()
        {
            metrics.counters.count(decision);
        }
        for (name, value) in filter_state::properties(&instance.policy, decision) {
            self.host.set_property(name, &value);
        }
        if let Some(shadowed) = &decision.shadowed {
            instance.log_shadowed(request, decision, shadowed);
        }
        if let Verdict::Deny(denial) = &decision.verdict {
            instance.log_refused(request, decision, denial);
        }
    }

    /// Publishes the metrics since the last tick.
    pub(super) fn publish_metrics(&self, instance: &std::rc::Rc<PluginInstance>, now: NumericDate) {
        if instance.policy.metrics
            && let (Ok(mut metrics), Ok(state)) =
                (instance.metrics.try_borrow_mut(), instance.state.try_borrow())
        {
            metrics.publish(&self.host, &instance.policy, &state, self.count_pending(instance), now);
            let shadowed_rules: usize =
                self.all_instances().iter().map(|instance| instance.policy.shadowed_rules()).sum();
            metrics.publish_shadow(&self.host, shadowed_rules as u64);
        }
    }
}

impl PluginInstance {
    /// Logs the number of lines that were suppressed in the last second.
    pub(super) fn log_suppressed(&self, now: NumericDate) {
        if let Ok(mut log) = self.log.try_borrow_mut()
            && let Some(suppressed) = log.tick(now)
        {
            log::warn!("denied: {suppressed} more since the last second, not shown");
        }
        if let Ok(mut log) = self.shadow_log.try_borrow_mut()
            && let Some(suppressed) = log.tick(now)
        {
            log::info!("NOT ENFORCED: {suppressed} more since the last second, not shown");
        }
    }

    /// Logs the decision about a request in shadow.
    fn log_shadowed(&self, request: &Request<'_>, decision: &Decision<'_>, shadowed: &Verdict) {
        let admits = || self.shadow_log.try_borrow_mut().is_ok_and(|mut log| log.admits());
        match shadowed {
            Verdict::Deny(denial) if admits() => {
                self.log_denial(request, decision, denial, Level::Info, "NOT ENFORCED: would be denied");
            }
            Verdict::Reply(answer) if admits() => {
                log::info!("NOT ENFORCED: would be answered: status={}", answer.status);
            }
            _ => {}
        }
    }

    /// Logs a denial. Denials that an operator must act on are logged at warning level, with a rate limit. All others
    /// are logged at debug level; metrics show them.
    fn log_refused(&self, request: &Request<'_>, decision: &Decision<'_>, denial: &Denial) {
        let level = match denial.reason {
            Reason::Unavailable => Level::Warn,
            _ => Level::Debug,
        };
        if level > log::max_level()
            || level == Level::Warn && !self.log.try_borrow_mut().is_ok_and(|mut log| log.admits())
        {
            return;
        }
        self.log_denial(request, decision, denial, level, "denied");
    }

    /// Logs the full reason. The only facts about the request are its identifier, the policy's names for its rule and
    /// authenticator, and the issuer of a token if that is the reason.
    fn log_denial(
        &self,
        request: &Request<'_>,
        decision: &Decision<'_>,
        denial: &Denial,
        level: Level,
        what: &str,
    ) {
        let detail = denial.reason.detail_code().unwrap_or("-");
        let rule = decision.rule.map_or("-", |rule| rule.name.as_str());
        let issuers = denial
            .authenticator
            .filter(|_| denial.reason == Reason::InvalidToken(TokenError::WrongIssuer))
            .and_then(|id| self.policy.issuer_mismatch(request, id))
            .map_or_else(String::new, |mismatch| format!(": {mismatch}"));
        let authenticator = denial.authenticator.and_then(|id| self.policy.authenticator(id));
        let authenticator = authenticator.map_or("-", |authenticator| authenticator.name.as_str());
        let reason = denial.reason.code();
        let request_id = denial.request_id.as_ref().map_or("-", RequestId::as_str);
        log::log!(
            level,
            "{what}: reason={reason} detail={detail} rule={rule} authenticator={authenticator}{issuers} request={request_id}"
        );
    }
}
