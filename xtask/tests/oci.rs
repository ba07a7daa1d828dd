//! Images, read as the tools that pull them do, and reproducible.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)] // a test may panic

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// 2026-01-02T03:04:05Z, in seconds since 1970.
const CREATED: &str = "1767323045";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oci").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn oci(folder: &Path, created: &str) -> Output {
    let module = folder.join("module.wasm");
    fs::write(&module, MODULE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("oci").arg(module).arg(folder.join("image")).args([created, "0123abcd"]).output().unwrap()
}

/// Returns every file of a layout by name, after checking that the digest of each blob matches its name.
fn files(layout: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in ["oci-layout", "index.json"] {
        files.insert(name.to_owned(), fs::read(layout.join(name)).unwrap());
    }
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let content = fs::read(entry.as_ref().unwrap().path()).unwrap();
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert_eq!(name, sha256(&content));
        files.insert(format!("sha256:{name}"), content);
    }
    files
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the blob that a descriptor refers to.
fn blob<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
    let content = &files[descriptor["digest"].as_str().unwrap()];
    assert_eq!(descriptor["size"], content.len(), "{descriptor}");
    content
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Returns the manifest of a layout, its configuration and its layer, after checking what both images have in common.
fn image(files: &BTreeMap<String, Vec<u8>>) -> (Value, Value, Vec<u8>) {
    assert_eq!(json(&files["oci-layout"])["imageLayoutVersion"], "1.0.0");
    let index = json(&files["index.json"]);
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 1, "several images");
    assert_eq!(manifests[0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let manifest = json(blob(files, &manifests[0]));
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], manifests[0]["mediaType"]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(files.len(), 5, "a blob that nothing points to");
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.title"], "authgate");
    assert_eq!(annotations["org.opencontainers.image.licenses"], "Apache-2.0");
    assert_eq!(annotations["org.opencontainers.image.revision"], "0123abcd");
    assert_eq!(annotations["org.opencontainers.image.created"], "2026-01-02T03:04:05Z");
    assert_eq!(
        annotations["org.opencontainers.image.version"],
        manifests[0]["annotations"]["org.opencontainers.image.ref.name"]
    );
    assert!(annotations["org.opencontainers.image.description"].as_str().unwrap().contains("Envoy"));
    let config = json(blob(files, &manifest["config"]));
    assert_eq!((&config["architecture"], &config["os"]), (&"wasm".into(), &"wasip1".into()));
    let layer = blob(files, &manifest["layers"][0]).to_vec();
    (manifest, config, layer)
}

#[test]
fn the_plain_image_holds_an_archive_with_the_module_at_its_root() {
    let folder = folder("plain");
    let output = oci(&folder, CREATED);
    assert!(output.status.success(), "{output:?}");
    let files = files(&folder.join("image"));
    let (manifest, config, layer) = image(&files);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(json(&files["index.json"])["manifests"][0]["digest"], said.trim());
    assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    // RFC 1952 §2.3: no flags, no time, an unknown system.
    assert_eq!((&layer[..8], layer[9]), (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..], 255));
    let mut archive = Vec::new();
    GzDecoder::new(layer.as_slice()).read_to_end(&mut archive).unwrap();
    assert_eq!(config["rootfs"]["type"], "layers");
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&archive)));
    let mut archive = tar::Archive::new(archive.as_slice());
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap(), Path::new("plugin.wasm"));
    let header = entry.header();
    assert_eq!(header.mtime().unwrap().to_string(), CREATED);
    assert_eq!((header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0o644, 0, 0));
    let mut module = Vec::new();
    entry.read_to_end(&mut module).unwrap();
    assert_eq!(module, MODULE);
    assert!(entries.next().is_none(), "more than the module");
}

#[test]
fn the_other_image_is_the_module_itself() {
    let folder = folder("cncf");
    assert!(oci(&folder, CREATED).status.success());
    let (manifest, config, layer) = image(&files(&folder.join("image-cncf")));
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
    assert_eq!(layer, MODULE);
}

#[test]
fn equal_inputs_give_equal_images() {
    let (one, other) = (folder("one"), folder("other"));
    assert!(oci(&one, CREATED).status.success());
    // Overwrites the previous image.
    assert!(oci(&other, "0").status.success());
    assert_ne!(files(&one.join("image")), files(&other.join("image")));
    assert!(oci(&other, CREATED).status.success());
    for image in ["image", "image-cncf"] {
        assert_eq!(files(&one.join(image)), files(&other.join(image)), "{image}");
    }
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let folder = folder("occupied");
    fs::create_dir(folder.join("image")).unwrap();
    fs::write(folder.join("image/precious"), "").unwrap();
    assert!(!oci(&folder, CREATED).status.success());
    assert!(folder.join("image/precious").exists());
}

#[test]
fn a_time_that_is_none_is_refused() {
    for wrong in ["", "yesterday", "-1"] {
        let output = oci(&folder("time"), wrong);
        assert!(!output.status.success(), "{wrong}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("seconds since 1970"), "{wrong}");
    }
}
