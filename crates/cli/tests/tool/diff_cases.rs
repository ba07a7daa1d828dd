//! `authgate diff` finds each change of a protection: `tests/cases/tool/diff-cases.yaml`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::run::{Run, cases, scratch, tool};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    authenticators: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Members of both policies beside the rules.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Members of the new policy alone.
    #[serde(default)]
    new_settings: Map<String, Value>,
    old: Value,
    new: Value,
    /// Texts in the output.
    #[serde(default)]
    says: Vec<String>,
    /// True if there is no difference.
    #[serde(default)]
    same: bool,
}

#[test]
fn each_changed_protection_is_found() {
    let text = std::fs::read_to_string(cases().join("diff-cases.yaml")).unwrap();
    let file: File = serde_yaml_ng::from_str(&text).unwrap();
    let folder = scratch("diff-cases");
    let mut failures = Vec::new();
    for case in &file.cases {
        let write = |name: &str, rules: &Value, settings: &[&Map<String, Value>]| {
            let mut policy: Map<String, Value> = settings
                .iter()
                .copied()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            policy.insert("authenticators".to_owned(), file.authenticators.clone());
            policy.insert("rules".to_owned(), rules.clone());
            let path = folder.join(name);
            std::fs::write(&path, Value::Object(policy).to_string()).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let old = write("old.json", &case.old, &[&case.settings]);
        let new = write("new.json", &case.new, &[&case.settings, &case.new_settings]);
        let there = tool(&["diff", &old, &new], "");
        let back = tool(&["diff", &new, &old], "");
        let mut check = |is_right: bool, what: &str, said: &Run| {
            if !is_right {
                failures.push(format!(
                    "{}: {what}: exit code {}\n{}{}",
                    case.name, said.code, said.output, said.errors
                ));
            }
        };
        let code = if case.same { 0 } else { 1 };
        check(there.code == code, "expected another exit code", &there);
        check(back.code == code, "expected another exit code in the other order", &back);
        for text in &case.says {
            check(there.output.contains(text), &format!("does not say {text:?}"), &there);
        }
        for same in [&old, &new] {
            let said = tool(&["diff", same, same], "");
            check(said.code == 0, "a policy differs from itself", &said);
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(file.cases.len() >= 30);
}
