//! The HTML page in a real browser: its appearance, and the password prompt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use authgate_testing::e2e::fixture::{ALICE, default_listener};
use authgate_testing::e2e::process::{directory, root};
use authgate_testing::e2e::programs::{chromium, has_browser_packages, is_there, or_skip};
use authgate_testing::e2e::proxy::Proxy;

/// Returns width and height from a PNG header.
fn size(path: &Path) -> (u32, u32) {
    let image = fs::read(path).expect("a screenshot");
    assert_eq!(image[..8], *b"\x89PNG\r\n\x1a\n", "{}", path.display());
    let number = |at: usize| u32::from_be_bytes([image[at], image[at + 1], image[at + 2], image[at + 3]]);
    (number(16), number(20))
}

/// Returns the brightness of an `rgb(r, g, b)` colour, from 0 to 1.
fn brightness(colour: &Value) -> f64 {
    let colour = colour.as_str().expect("a colour");
    let inner = colour.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("rgb(…)").0;
    let parts: Vec<f64> = inner.split(',').map(|part| part.trim().parse().expect("a number")).collect();
    (0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]) / 255.0
}

#[test]
fn a_browser_shows_the_page_and_its_prompt_lets_in() {
    let script = root().join("tests/browser");
    let Some(chromium) = or_skip("Chromium", chromium()) else { return };
    if or_skip("Node", is_there("node", &["--version"]).then_some(())).is_none() {
        return;
    }
    if !has_browser_packages() {
        return;
    }
    let proxy = Proxy::start("browser", vec![default_listener()]);
    let pictures: PathBuf = directory("browser-pictures");
    let url = format!("http://127.0.0.1:{}/basic", proxy.port("default"));
    let output = Command::new("node")
        .arg(script.join("visit.mjs"))
        .args([&chromium, &url, "alice", ALICE])
        .arg(&pictures)
        .output()
        .expect("node runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let prompt = json!({"scheme": "basic", "realm": "restricted"});
    // Without a password: the prompt was cancelled.
    for (name, width, height, is_dark) in [
        ("light", 1024, 700, false),
        ("dark", 1024, 700, true),
        ("phone", 720, 1480, false),
        ("phoneDark", 720, 1480, true),
    ] {
        let seen = &report[name];
        assert_eq!((&seen["status"], &seen["title"]), (&401.into(), &"Please sign in".into()), "{seen}");
        assert_eq!(seen["prompts"], json!([prompt]), "{seen}");
        let text = seen["text"].as_str().expect("a text");
        for part in ["A user name and a password are required", "missing_credentials", "Try again", "Basic"] {
            assert!(text.contains(part), "{name} lacks {part}: {text}");
        }
        let (background, colour) = (brightness(&seen["background"]), brightness(&seen["colour"]));
        assert_eq!(background < 0.5, is_dark, "{name}: {seen}");
        assert!((background - colour).abs() > 0.5, "{name} cannot be read: {seen}");
        assert_eq!(seen["overflows"], false, "{name}: {seen}");
        assert!(seen["fontSize"].as_f64() >= Some(16.0), "{name}: {seen}");
        let picture = if name == "phoneDark" { "phone-dark" } else { name };
        assert_eq!(size(&pictures.join(format!("{picture}.png"))), (width, height), "{name}");
        assert_eq!(seen["asked"].as_array().map(Vec::len), Some(1), "{name} asks for more: {seen}");
        assert_eq!(seen["complaints"], Value::Array(Vec::new()), "{name}");
    }
    // After a wrong password or a retry the browser prompts again, and the correct password is accepted.
    let wrong = &report["wrong"];
    assert_eq!((&wrong["status"], &wrong["prompts"]), (&401.into(), &json!([prompt, prompt])), "{wrong}");
    assert!(wrong["text"].as_str().is_some_and(|text| text.contains("invalid_credentials")), "{wrong}");
    for name in ["right", "cancelled"] {
        let right = &report[name];
        assert_eq!((&right["status"], &right["text"]), (&200.into(), &"upstream".into()), "{name}: {right}");
        assert_eq!(right["prompts"], json!([prompt, prompt]), "{name}: {right}");
    }
    proxy.finish();
}
