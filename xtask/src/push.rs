//! Pushes the images in `dist/` to a registry, with skopeo.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{Result, is_available, run, target_folder};

/// Pushes the images to the reference `REGISTRY/NAME:TAG`, the one in the CNCF's layout with `-cncf` after the tag.
/// `options` are passed to `skopeo copy`. Returns the reference to pin.
///
/// # Errors
/// If the reference has no tag, skopeo is missing or fails, or the registry has stored another manifest.
pub fn push(image: &str, options: &[&str]) -> Result<String> {
    let wrong = || format!("IMAGE=registry/name:tag is needed, not '{image}'");
    let (name, tag) = image.rsplit_once(':').ok_or_else(wrong)?;
    if name.is_empty() || tag.is_empty() || tag.contains('/') || image.contains('@') {
        return Err(wrong().into());
    }
    if !is_available("skopeo") {
        return Err("skopeo is needed: apt-get install skopeo, brew install skopeo, …".into());
    }
    copy(Path::new("dist/oci-cncf"), &format!("{image}-cncf"), options)?;
    let digest = copy(Path::new("dist/oci"), image, options)?;
    Ok(format!("{name}@{digest}"))
}

/// Pushes one image layout, and returns the digest of its manifest. Istio pins that digest, so the manifest must be
/// pushed unchanged.
fn copy(layout: &Path, image: &str, options: &[&str]) -> Result<String> {
    let file = layout.join("index.json");
    let index = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let index: Value = serde_json::from_slice(&index)?;
    let expected = index.pointer("/manifests/0/digest").and_then(Value::as_str);
    let expected = expected.ok_or_else(|| format!("{}: no digest", layout.display()))?;
    fs::create_dir_all(target_folder())?;
    let digest_file = target_folder().join(format!("pushed-digest-{}", std::process::id()));
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["copy", "--quiet", "--preserve-digests", "--digestfile"]).arg(&digest_file).args(options);
    run(skopeo.arg(format!("oci:{}", layout.display())).arg(format!("docker://{image}")))?;
    let digest = fs::read_to_string(&digest_file)?;
    fs::remove_file(&digest_file)?;
    if digest.trim() != expected {
        return Err(format!("{image}: the registry has {digest}, {} has {expected}", layout.display()).into());
    }
    Ok(expected.to_owned())
}
