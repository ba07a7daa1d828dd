//! Packs the module as OCI images, each into an image layout (a folder) that `skopeo` can push unchanged.
//!
//! Consumers expect different layouts. Istio's agent, Envoy Gateway and Higress accept a plain image whose last layer
//! is an archive with `plugin.wasm`, and reject an index and everything else. Tools of the CNCF's Wasm working group
//! expect the module itself as the layer. So the same module is packed into two images.
//!
//! Only the module, the package's manifest and the arguments are inputs, so equal inputs give equal digests.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM_LAYER: &str = "application/wasm";

/// File name in the archive, which consumers look for.
const FILE: &str = "plugin.wasm";

const ARCHITECTURE: &str = "wasm";
const OS: &str = "wasip1";

/// The module and its metadata.
struct Release {
    module: Vec<u8>,
    /// Seconds since 1970 of the commit, not of the build.
    created: u64,
    version: String,
    /// Annotations of the manifest.
    annotations: Map<String, Value>,
}

/// An OCI image layout (image-spec 1.1, "Image Layout Specification") during writing.
struct Layout {
    folder: PathBuf,
}

/// Descriptor of a blob in a layout.
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
}

/// Writes a plain image to `folder`, and one in the CNCF's layout beside it, to `FOLDER-cncf`. `created` is in seconds
/// since 1970, `revision` is the commit. Returns the digest of the plain image's manifest.
///
/// # Errors
/// If an input cannot be read, or an image cannot be written.
pub fn pack(module: &Path, folder: &Path, created: &str, revision: &str) -> Result<String, Box<dyn Error>> {
    let module = fs::read(module).map_err(|error| format!("{}: {error}", module.display()))?;
    let created = created.parse().map_err(|_| "the time of creation: expected seconds since 1970")?;
    let release = Release::new(module, created, revision)?;
    let mut beside = folder.as_os_str().to_owned();
    beside.push("-cncf");
    cncf(&release, Layout::create(beside.as_ref())?)?;
    plain(&release, Layout::create(folder)?)
}

/// Writes an image for the platform `wasip1/wasm` with the module in an archive.
fn plain(release: &Release, layout: Layout) -> Result<String, Box<dyn Error>> {
    let archive = archive(release)?;
    let layer = layout.blob(LAYER, &compressed(&archive)?)?;
    let config = json!({
        "architecture": ARCHITECTURE,
        "os": OS,
        "created": rfc3339(release.created)?,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(&archive)]},
    });
    let config = layout.blob(CONFIG, config.to_string().as_bytes())?;
    layout.finish(release, &config, &layer, Some(("module.wasm.image/variant", "compat")))
}

/// Writes an image with the module itself, in the CNCF's "Wasm OCI Artifact layout".
fn cncf(release: &Release, layout: Layout) -> Result<String, Box<dyn Error>> {
    let layer = layout.blob(WASM_LAYER, &release.module)?;
    let config = json!({
        "architecture": ARCHITECTURE,
        "os": OS,
        "created": rfc3339(release.created)?,
        "layerDigests": [layer.digest],
    });
    let config = layout.blob(WASM_CONFIG, config.to_string().as_bytes())?;
    layout.finish(release, &config, &layer, None)
}

impl Release {
    /// Collects the pre-defined annotations of the image-spec from the package's manifest.
    fn new(module: Vec<u8>, created: u64, revision: &str) -> Result<Release, Box<dyn Error>> {
        let package = package()?;
        let of_package = |member: &str| member_of(&package, member);
        let version = of_package("version")?;
        let mut annotations = Map::new();
        let mut annotate = |name: &str, value: String| {
            annotations.insert(format!("org.opencontainers.image.{name}"), Value::String(value));
        };
        annotate("title", of_package("name")?);
        annotate("description", of_package("description")?);
        annotate("version", version.clone());
        annotate("licenses", of_package("license")?);
        annotate("created", rfc3339(created)?);
        if !revision.is_empty() {
            annotate("revision", revision.to_owned());
        }
        Ok(Release { module, created, version, annotations })
    }
}

impl Layout {
    /// Creates a layout, and replaces an existing one. Any other folder is left unchanged.
    fn create(folder: &Path) -> Result<Layout, Box<dyn Error>> {
        if folder.join("oci-layout").exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        if fs::read_dir(folder)?.next().is_some() {
            return Err(format!("{} is neither empty nor an OCI layout", folder.display()).into());
        }
        fs::write(folder.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Layout { folder: folder.to_owned() })
    }

    /// Writes a blob.
    fn blob(&self, media_type: &'static str, content: &[u8]) -> Result<Descriptor, Box<dyn Error>> {
        let digest = digest(content);
        fs::write(self.folder.join("blobs").join(digest.replace(':', "/")), content)?;
        Ok(Descriptor { media_type, digest, size: content.len() })
    }

    /// Writes the manifest, with one more annotation, and the index that refers to it. Returns the manifest's digest.
    fn finish(
        self,
        release: &Release,
        config: &Descriptor,
        layer: &Descriptor,
        annotation: Option<(&str, &str)>,
    ) -> Result<String, Box<dyn Error>> {
        let mut annotations = release.annotations.clone();
        annotations.extend(annotation.map(|(name, value)| (name.to_owned(), json!(value))));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json()],
            "annotations": annotations,
        });
        let manifest = self.blob(MANIFEST, manifest.to_string().as_bytes())?;
        let mut named = manifest.to_json();
        named.insert("annotations".to_owned(), json!({"org.opencontainers.image.ref.name": release.version}));
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]});
        fs::write(self.folder.join("index.json"), index.to_string())?;
        Ok(manifest.digest)
    }
}

impl Descriptor {
    fn to_json(&self) -> Map<String, Value> {
        let members = [
            ("mediaType", json!(self.media_type)),
            ("digest", json!(self.digest)),
            ("size", json!(self.size)),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Returns the version of the package `authgate`.
///
/// # Errors
/// If cargo cannot read the manifest.
pub fn version() -> Result<String, Box<dyn Error>> {
    Ok(member_of(&package()?, "version")?)
}

fn member_of(package: &Value, member: &str) -> Result<String, String> {
    let text = package.get(member).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("Cargo.toml: no {member}"))?.to_owned())
}

/// Returns the manifest of the package `authgate`, as cargo reads it.
fn package() -> Result<Value, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)))?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let named = |package: &&Value| package.get("name").and_then(Value::as_str) == Some("authgate");
    Ok(packages.into_iter().find(named).ok_or("cargo metadata: no package authgate")?.clone())
}

/// Returns a tar archive with the module, and without any data about the build machine.
fn archive(release: &Release) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut header = tar::Header::new_ustar();
    header.set_path(FILE)?;
    header.set_size(release.module.len().try_into()?);
    header.set_mode(0o644);
    header.set_mtime(release.created);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, release.module.as_slice())?;
    Ok(archive.into_inner()?)
}

/// Compresses with gzip (RFC 1952), without a time, a name or an operating system in the header.
fn compressed(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn rfc3339(seconds: u64) -> Result<String, Box<dyn Error>> {
    Ok(OffsetDateTime::from_unix_timestamp(seconds.try_into()?)?.format(&Rfc3339)?)
}
