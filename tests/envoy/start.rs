//! The pages "Get started" for a single machine, followed literally in an empty folder.
//!
//! A script saves the blocks `yaml save FILE`, runs `sh step`, and starts `sh start` in the background. A block `text
//! output` is the expected output of the step before it. Only the ports are replaced, by free ones.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use authgate_testing::e2e::process::{directory, envoy, module};
use authgate_testing::pages::{Block, page};

/// Output that separates the steps.
const MARK: &str = "-- next step --";

/// Runs the script of these blocks; returns a fault for each step whose output differs.
fn follow(name: &str, blocks: &[Block], container: Option<&str>) -> Vec<String> {
    // All are bound at the same time, so that they differ.
    let listeners: Vec<TcpListener> =
        (0..2).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("an address");
    let ports: Vec<String> = listeners.iter().map(|listener| address(listener).port().to_string()).collect();
    drop(listeners);
    let folder = directory(name);
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder");
    symlink(envoy(), bin.join("envoy")).expect("envoy");
    if let Some(docker) = container {
        let compose =
            blocks.iter().find(|block| block.is("yaml save docker-compose.yaml")).expect("a Compose file");
        let compose = compose.text.replace("10000", &ports[0]);
        let compose: Value = serde_yaml_ng::from_str(&compose).expect("YAML");
        fs::write(folder.join("compose.json"), compose.to_string()).expect("a file");
        fs::write(bin.join("docker"), docker).expect("a script");
        Command::new("chmod").arg("+x").arg(bin.join("docker")).status().expect("chmod");
    }
    let clean = folder.join("start");
    fs::create_dir(&clean).expect("a folder");
    fs::copy(module(), clean.join("authgate.wasm")).expect("the module");
    fs::copy(authgate_testing::tool(), clean.join("authgate")).expect("the tool");

    let here = |text: &str| text.replace("10000", &ports[0]).replace("10001", &ports[1]);
    // Each background job is a process group, so that nothing below it outlives the script.
    let mut script = "set -emuo pipefail\n\
        trap 'for job in $(jobs -p); do kill -- -\"$job\"; done 2> /dev/null; wait' EXIT\n"
        .to_owned();
    for block in blocks {
        let text = here(&block.text);
        match block.info.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["yaml", "save", file] => script += &format!("cat > {file} <<'END'\n{text}END\n"),
            ["sh", "step"] => script += &format!("{text}echo '{MARK}'\n"),
            ["sh", "start"] => {
                let (before, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
                // Hot restart would allow only one Envoy on a machine.
                let last = last.replace("envoy -c", "envoy --disable-hot-restart -c");
                script += &format!(
                    "{before}\n{{ {last}; }} > server.log 2>&1 &\n\
                     for _ in $(seq 300); do (exec 3<> /dev/tcp/127.0.0.1/{port}) 2> /dev/null && break; sleep 0.1; done\n",
                    port = ports[0],
                );
            }
            _ => {}
        }
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(&clean)
        .env("PATH", path)
        .output()
        .expect("bash");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut faults = Vec::new();
    if !output.status.success() {
        let log = fs::read_to_string(clean.join("server.log")).unwrap_or_default();
        faults.push(format!("{}\n{}\n{log}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let mark = format!("{MARK}\n");
    let mut printed = printed.split(&mark);
    let mut steps = 0;
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.is("sh step")) {
        let found = printed.next().unwrap_or_default();
        steps += 1;
        if let Some(expected) = blocks.get(at + 1).filter(|next| next.is("text output"))
            && without_request_id(&here(&expected.text)) != without_request_id(found)
        {
            faults.push(format!("{}: expected\n{}found\n{found}", block.place, expected.text));
        }
    }
    assert!(steps >= 3, "{steps} steps");
    faults
}

/// Replaces the identifier that Envoy gives each request.
fn without_request_id(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("Request ID: ") {
        Some(id) if id.len() == 36 => "Request ID: …\n".to_owned(),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_page_for_envoy_works_as_written() {
    let page = page("docs/start/envoy.md");
    let faults = follow("start-envoy", &page.blocks, None);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Stands in for `docker compose up`: runs the command of the only service with its mounts and its environment, in a folder
/// in place of the container.
const DOCKER: &str = r#"#!/usr/bin/env python3
import json, os, sys
assert sys.argv[1:] == ["compose", "up"], sys.argv
service, = json.load(open("../compose.json"))["services"].values() # docker-compose.yaml as JSON
assert service["image"].startswith("envoyproxy/envoy:v")
root = os.path.abspath("../container")
for mount in service["volumes"]:
    source, target, mode = mount.split(":")
    os.makedirs(os.path.dirname(root + target), exist_ok=True)
    os.symlink(os.path.abspath(source), root + target)
os.chdir(root + service["working_dir"])
kept = {name: os.environ[name] for name in service["environment"] + ["PATH"]}
command = [root + word if word.startswith("/etc/") else word for word in service["command"]]
os.execvpe(command[0], command + ["--disable-hot-restart"], kept)
"#;

/// Without a Docker engine, the command runs with the mounts and the environment of the Compose file.
#[test]
fn the_page_for_compose_works_as_written() {
    let envoy = page("docs/start/envoy.md");
    // Steps 1 to 3, as the page says.
    let steps = envoy.blocks.into_iter().take_while(|block| !block.text.contains("--mode validate"));
    let blocks: Vec<Block> = steps.chain(page("docs/start/compose.md").blocks).collect();
    let faults = follow("start-compose", &blocks, Some(DOCKER));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
