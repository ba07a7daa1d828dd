//! References that `make push` rejects before it calls skopeo. `tests/oci/round_trip.py` pushes to a real registry.
#![allow(clippy::unwrap_used, missing_docs)] // a test may panic

use std::process::Command;

#[test]
fn a_reference_without_a_tag_is_refused() {
    for wrong in ["", "authgate", "authgate:", ":1", "127.0.0.1:5000/authgate", "authgate@sha256:00"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_xtask")).arg("push").env("IMAGE", wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(&format!("IMAGE=registry/name:tag is needed, not '{wrong}'")), "{message}");
    }
}
