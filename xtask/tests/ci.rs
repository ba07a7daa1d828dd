//! The list of CI jobs in `.ci/jobs`: what `.ci/run` and the workflows read in it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a test may panic

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn ci(argument: &str) -> Output {
    Command::new("bash").arg(".ci/run").arg(argument).current_dir(root()).output().unwrap()
}

/// Returns job, place, needed programs and command of each step.
fn steps() -> Vec<[String; 4]> {
    let lines = read(".ci/jobs");
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (mut rest, mut fields) = (line, Vec::new());
            for _ in 0..3 {
                let (field, after) = rest.split_once(char::is_whitespace).unwrap_or_else(|| panic!("{line}"));
                fields.push(field.to_owned());
                rest = after.trim_start();
            }
            fields.push(rest.to_owned());
            fields.try_into().unwrap()
        })
        .collect()
}

#[test]
fn each_step_runs_a_target_of_make() {
    let makefile = read("Makefile");
    let steps = steps();
    assert!(steps.len() > 10, "{steps:?}");
    for [job, place, _, command] in &steps {
        assert!(["both", "here", "hosted"].contains(&place.as_str()), "{job}: {place}");
        let target = command.strip_prefix("make ").and_then(|rest| rest.split(' ').next());
        let target = target.unwrap_or_else(|| panic!("{job}: {command}"));
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{job}: no {target}");
    }
}

#[test]
fn the_workflow_runs_all_jobs_but_those_for_here() {
    let output = ci("--hosted");
    assert!(output.status.success(), "{output:?}");
    let listed: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let hosted = steps().into_iter().filter(|step| step[1] != "here").map(|[job, ..]| job);
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), hosted.collect());
    assert_eq!(listed.len(), listed.iter().collect::<BTreeSet<_>>().len(), "steps of one job are apart");
    let workflow = read(".github/workflows/test.yml");
    for command in ["bash .ci/run --hosted", "bash .ci/run \"$JOB\""] {
        assert!(workflow.contains(command), "test.yml lacks {command}");
    }
}

#[test]
fn the_workflow_tests_every_supported_envoy() {
    let makefile = read("Makefile");
    let matrix = makefile.lines().find_map(|line| line.strip_prefix("MATRIX := ")).unwrap();
    let versions: Vec<String> =
        matrix.split(' ').map(|version| format!("make test-matrix MATRIX={version}")).collect();
    let tested: Vec<String> = steps()
        .into_iter()
        .filter(|[job, ..]| job.starts_with("envoy-"))
        .map(|[.., command]| command)
        .collect();
    assert_eq!(tested, versions);
}

#[test]
fn an_unknown_job_is_an_error() {
    let output = ci("no-such-job");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-job"));
}
