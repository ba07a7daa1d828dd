//! Invalid configurations: every message, word by word. The cases are in `tests/cases/config-errors.yaml`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use authgate::config::{self, ConfigError};
use authgate::policy::build;
use authgate_testing::config_cases;

use config_cases::{Case, cases, shows_secret};

#[test]
fn every_fault_is_told_as_its_case_says() {
    let cases = cases();
    let count = cases.len();
    let failures: Vec<String> = cases
        .into_iter()
        .filter_map(|case| {
            let name = case.name.clone();
            check(case).err().map(|why| format!("{name}:\n{why}"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

fn check(case: Case) -> Result<(), String> {
    let parsed = match &case.text {
        Some(text) => config::parse(text.as_bytes()),
        None => config::from_value(case.configuration()),
    };
    let built = parsed.and_then(|config| {
        assert!(!shows_secret(&format!("{config:?}")), "{}: Debug shows a secret", case.name);
        build(&config, &|name| case.environment.get(name).cloned())
    });
    let (errors, warnings) = match built {
        Ok(built) => (Vec::new(), built.warnings.iter().map(ToString::to_string).collect()),
        Err(errors) => (errors.iter().map(ConfigError::to_string).collect(), Vec::new()),
    };
    let show = |texts: &[String]| texts.iter().map(|text| format!("      - {text:?}\n")).collect::<String>();
    if errors != case.errors || warnings != case.warnings {
        let (errors, warnings) = (show(&errors), show(&warnings));
        return Err(format!("    errors:\n{errors}    warnings:\n{warnings}"));
    }
    let shown = [errors, warnings].concat().concat();
    if shows_secret(&shown) { Err(format!("a secret is shown: {shown}")) } else { Ok(()) }
}
