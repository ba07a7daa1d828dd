//! The copy of the checkout with all mutations, and its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::schemata::{Mutant, Schema};
use crate::command::{Result, cargo, output};

const MUTATION: &str = include_str!("mutation.rs.txt");
const PACKAGES: [&str; 6] = ["-p", "authgate", "-p", "authgate-filter", "-p", "authgate-cli"];

/// A copy of the checkout.
pub struct Copy {
    /// Folder of the copy, its artifacts and its results.
    pub folder: PathBuf,
    /// Root of the copy.
    pub root: PathBuf,
}

/// A test executable.
pub struct Executable {
    /// Path of the executable.
    pub path: PathBuf,
    /// Name of its package.
    pub package: String,
    /// Folder of its package.
    pub folder: PathBuf,
}

impl Copy {
    /// Copies all files that git tracks, or would track.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn new(folder: PathBuf) -> Result<Copy> {
        let root = folder.join("checkout");
        let listed = output(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
        let files: BTreeSet<&Path> = listed.lines().map(Path::new).filter(|file| file.is_file()).collect();
        remove_others(&root, &root, &files)?;
        for file in files {
            let is_rewritten = file.extension().is_some_and(|extension| extension == "rs");
            if !is_rewritten || !is_source(file) {
                write(&root.join(file), &fs::read(file)?)?;
                fs::set_permissions(root.join(file), fs::metadata(file)?.permissions())?;
            }
        }
        Ok(Copy { folder, root })
    }

    /// Writes the sources with all mutations that compile in this form, and returns the errors of the others.
    ///
    /// # Errors
    /// If the copy does not compile, for a reason other than a mutation.
    pub fn rewrite(
        &self,
        mutants: &[Mutant],
        mut failed: BTreeMap<usize, String>,
    ) -> Result<BTreeMap<usize, String>> {
        loop {
            let schemas = self.write_sources(mutants, &failed)?;
            let messages = self.cargo(&["check", "--quiet"], &[])?;
            let errors: Vec<&Value> = messages.iter().filter(|message| message["message"]["level"] == "error").collect();
            if errors.is_empty() {
                return Ok(failed);
            }
            let before = failed.len();
            for error in errors.iter().map(|error| &error["message"]) {
                let text = error["rendered"].as_str().unwrap_or_default();
                let code = error["code"]["code"].as_str().unwrap_or_default();
                let spans = || error["spans"].as_array().into_iter().flatten();
                let is_primary = |span: &&Value| span["is_primary"] == true;
                let mut spans = spans().filter(is_primary).chain(spans());
                let found = spans.find_map(|span| {
                    let offset = |name: &str| Some(span[name].as_u64()? as usize);
                    let schema = schemas.get(span["file_name"].as_str()?)?;
                    schema.mutants_at(&(offset("byte_start")?..offset("byte_end")?))
                });
                match found {
                    Some(numbers) => {
                        let summary = format!("{code} {}", text.lines().next().unwrap_or_default());
                        failed.extend(numbers.iter().map(|&number| (number, summary.clone())));
                    }
                    None if code.is_empty() => {} // "aborting due to previous errors"
                    None => return Err(format!("not an error of a mutation: {text}").into()),
                }
            }
            println!("mutations that do not compile in one build: {}", failed.len());
            if failed.len() == before {
                return Err("the copy does not compile".into());
            }
        }
    }

    fn write_sources(
        &self,
        mutants: &[Mutant],
        without: &BTreeMap<usize, String>,
    ) -> Result<BTreeMap<String, Schema>> {
        let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
        for (number, mutant) in mutants.iter().enumerate().filter(|(number, _)| !without.contains_key(number)) {
            files.entry(&mutant.file).or_default().push((number, mutant));
        }
        let mut schemas = BTreeMap::new();
        let listed = output(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
        for file in listed.lines().filter(|file| is_source(Path::new(file)) && Path::new(file).is_file()) {
            let text = fs::read_to_string(file)?;
            let schema = Schema::new(&text, files.get(file).map_or(&[], Vec::as_slice))
                .map_err(|error| format!("{file}: {error}"))?;
            let mut written = schema.text.clone();
            if file.ends_with("src/lib.rs") || file.ends_with("src/main.rs") {
                let module = MUTATION.replace("@FOLDER@", &self.folder.to_string_lossy());
                written += &module.replace("@COUNT@", &mutants.len().to_string());
            }
            write(&self.root.join(file), written.as_bytes())?;
            schemas.insert(file.to_owned(), schema);
        }
        Ok(schemas)
    }

    /// Builds the tests that `.cargo/mutants.toml` names.
    ///
    /// # Errors
    /// If they cannot be built.
    pub fn tests(&self) -> Result<Vec<Executable>> {
        let configuration = fs::read_to_string(".cargo/mutants.toml")?;
        let tests: Vec<&str> =
            configuration.lines().filter_map(|line| line.trim().strip_prefix("\"--")?.strip_suffix("\",")).collect();
        let tests: Vec<String> = tests.iter().map(|test| format!("--{test}")).collect();
        let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
        let messages = self.cargo(&["test", "--no-run"], &tests)?;
        let executables = messages.iter().filter(|message| message["profile"]["test"] == true).filter_map(|message| {
            let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
            Some(Executable {
                path: message["executable"].as_str()?.into(),
                package: package_of(folder.strip_prefix(&self.root).ok()?),
                folder: folder.to_owned(),
            })
        });
        let executables: Vec<Executable> = executables.collect();
        if executables.is_empty() { Err("the tests cannot be built".into()) } else { Ok(executables) }
    }

    /// Runs cargo on the packages of the copy, and returns its messages.
    fn cargo(&self, command: &[&str], options: &[&str]) -> Result<Vec<Value>> {
        let mut cargo = cargo();
        cargo.args(command).args(["--locked", "--message-format=json"]).args(PACKAGES).args(options);
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", self.folder.join("target"));
        // Tests run thousands of times, and the build is one.
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        let printed = cargo.stderr(Stdio::inherit()).output()?.stdout;
        String::from_utf8(printed)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// Returns the package of a file or folder: the part of the path before `src`.
pub fn package_of(path: &Path) -> String {
    match path.strip_prefix("crates").ok().and_then(|path| path.iter().next()) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "core".to_owned(),
    }
}

/// True for the sources of crates that mutations may change.
fn is_source(file: &Path) -> bool {
    ["src", "crates/filter/src", "crates/cli/src"].iter().any(|folder| file.starts_with(folder))
        && file.extension().is_some_and(|extension| extension == "rs")
}

/// Writes a file, unless it has this content: cargo builds what is newer.
fn write(file: &Path, content: &[u8]) -> Result {
    if fs::read(file).is_ok_and(|written| written == content) {
        return Ok(());
    }
    fs::create_dir_all(file.parent().ok_or("a file without a folder")?)?;
    Ok(fs::write(file, content).map_err(|error| format!("{}: {error}", file.display()))?)
}

/// Removes all files in a folder below `root` that are not listed.
fn remove_others(root: &Path, folder: &Path, files: &BTreeSet<&Path>) -> Result {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(root, &path, files)?;
        } else if !files.contains(path.strip_prefix(root)?) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
