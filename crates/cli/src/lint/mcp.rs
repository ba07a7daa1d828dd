//! Warnings about rules that decide MCP requests without their MCP headers.

use authgate::http::path::PathInterpretations;
use authgate::policy::rules::{MatchPart, MatchSpec, RuleId, Target};
use authgate::policy::{Access, Policy};

use super::Lint;

/// Returns a warning for each rule that allows requests which a later rule with `mcp` would check. `specs` are the
/// matches of all rules.
pub fn lints(policy: &Policy, specs: &[Vec<MatchSpec>]) -> Vec<Lint> {
    let mut lints = Vec::new();
    for (at, (rule, earlier)) in policy.rules.iter().zip(specs).enumerate() {
        if matches!(rule.access, Access::Denied) {
            continue;
        }
        let later = policy.rules.iter().zip(specs).skip(at + 1);
        let limits = later.filter(|(limit, _)| !matches!(limit.access, Access::Public));
        let skipped = limits.into_iter().find(|(_, specs)| {
            let calls = specs.iter().filter(|spec| spec.mcp().is_some());
            let mut pairs = calls.flat_map(|call| earlier.iter().map(move |spec| (spec, call)));
            pairs.any(|(spec, call)| is_skipped(policy, RuleId::new(at), spec, call))
        });
        let Some((limit, _)) = skipped else { continue };
        // A rule that never applies has its own warning.
        let is_hidden = specs
            .get(limit.number)
            .is_some_and(|specs| specs.iter().all(|spec| earlier.iter().any(|other| other.subsumes(spec))));
        if is_hidden {
            continue;
        }
        lints.push(Lint {
            code: "mcp-bypass",
            path: format!("rules[{at}]"),
            message: format!(
                "this rule allows POST on the path of \"{}\" (rules[{}]) whatever the MCP call is; add `mcp: {{}}` to \
                 its `match`, or move it behind the rules with `mcp`",
                limit.name, limit.number
            ),
        });
    }
    lints
}

/// True if the rule of `spec` decides some POST that is on a path of `call`, without reading its MCP headers.
fn is_skipped(policy: &Policy, rule: RuleId, spec: &MatchSpec, call: &MatchSpec) -> bool {
    if spec.mcp().is_some() {
        return false;
    }
    let paths = [call.example_path(), spec.example_path()];
    let hosts = [call.example_host(), spec.example_host()];
    let peers = [call.example_source(), spec.example_source()];
    paths.iter().flatten().any(|path| {
        let Ok(interpretations) = PathInterpretations::of(path.as_bytes()) else { return false };
        let mut around = hosts.iter().flat_map(|host| peers.iter().map(move |peer| (host.as_ref(), *peer)));
        around.any(|(host, peer)| {
            let target = Target { method: b"POST", host, peer, interpretations: &interpretations, mcp: None };
            let parts = |spec: &MatchSpec| spec.mismatches(&target).ok();
            parts(spec).is_some_and(|parts| parts.is_empty())
                && parts(call).is_some_and(|parts| parts == [MatchPart::Mcp])
                && policy.index.select(&target) == Ok(Some(rule))
        })
    })
}
