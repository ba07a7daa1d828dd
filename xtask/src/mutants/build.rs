//! The copy of the checkout with all mutations, and its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::schemata::{Mutant, Schema};
use crate::command::{Result, cargo, output};

/// Module that each crate with mutations gets.
const MUTATION: &str = include_str!("mutation.rs.txt");

/// Packages with mutations, and the folders of their sources.
const PACKAGES: [(&str, &str); 3] =
    [("authgate", "src"), ("authgate-filter", "crates/filter/src"), ("authgate-cli", "crates/cli/src")];

/// A copy of the checkout.
pub struct Copy {
    /// Folder of the copy, its artifacts and the results.
    pub folder: PathBuf,
    root: PathBuf,
    /// Files that may have mutations.
    sources: Vec<String>,
}

/// A test executable.
pub struct Executable {
    /// Path of the executable.
    pub path: PathBuf,
    /// Folder of its package.
    pub folder: PathBuf,
    /// Name of its package.
    pub package: &'static str,
}

impl Copy {
    /// Copies all files that git tracks, or would track.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn new(folder: PathBuf) -> Result<Copy> {
        let root = folder.join("checkout");
        let mut list = Command::new("git");
        let listed = output(list.args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
        let files: BTreeSet<&Path> = listed.lines().map(Path::new).filter(|file| file.is_file()).collect();
        remove_others(&root, &root, &files)?;
        let is_source = |file: &str| file.ends_with(".rs") && package_of(file).is_some();
        let (sources, others): (Vec<&Path>, Vec<&Path>) =
            files.into_iter().partition(|file| file.to_str().is_some_and(is_source));
        for file in others {
            write(&root.join(file), &fs::read(file)?)?;
            fs::set_permissions(root.join(file), fs::metadata(file)?.permissions())?;
        }
        let sources = sources.iter().map(|file| file.to_string_lossy().into_owned()).collect();
        Ok(Copy { folder, root, sources })
    }

    /// Writes the sources with all mutations that compile in this form. Returns the others, with the codes of the errors.
    ///
    /// # Errors
    /// If the copy does not compile for another reason.
    pub fn rewrite(&self, mutants: &[Mutant]) -> Result<BTreeMap<usize, String>> {
        // Those of the last run are left out at once, so that nothing is built again if nothing has changed.
        let record = self.folder.join("not-in-one-build");
        let known = fs::read_to_string(&record).unwrap_or_default();
        let known: BTreeMap<&str, &str> =
            known.lines().filter_map(|line| line.split_once('\t')).map(|(code, name)| (name, code)).collect();
        let numbered = mutants.iter().enumerate();
        let of_last_run = |(number, mutant): (usize, &Mutant)| {
            Some((number, (*known.get(mutant.name.as_str())?).to_owned()))
        };
        let mut failed: BTreeMap<usize, String> = numbered.filter_map(of_last_run).collect();
        loop {
            let schemas = self.write_sources(mutants, &failed)?;
            let errors = self.errors(PACKAGES.map(|(package, _)| package).as_slice())?;
            if errors.is_empty() {
                let failed_now =
                    failed.iter().filter_map(|(number, code)| Some((code, mutants.get(*number)?)));
                let lines = failed_now.map(|(code, mutant)| format!("{code}\t{}\n", mutant.name));
                fs::write(record, lines.collect::<String>())?;
                return Ok(failed);
            }
            for error in errors {
                let spans = || error.get("spans").and_then(Value::as_array).into_iter().flatten();
                // Without a primary span in a mutation, any other that the compiler mentions.
                let is_primary = |span: &&Value| span["is_primary"] == true;
                let found = spans().filter(is_primary).chain(spans()).find_map(|span| {
                    let offset = |name: &str| usize::try_from(span[name].as_u64()?).ok();
                    let schema = schemas.get(span["file_name"].as_str()?)?;
                    schema.mutants_at(&(offset("byte_start")?..offset("byte_end")?))
                });
                let Some(numbers) = found.filter(|numbers| !numbers.is_empty()) else {
                    return Err(format!(
                        "not an error of a mutation: {}",
                        error.get("rendered").unwrap_or(&error)
                    )
                    .into());
                };
                let code = error.pointer("/code/code").and_then(Value::as_str).unwrap_or_default();
                failed.extend(numbers.iter().map(|&number| (number, code.to_owned())));
            }
            println!("{} mutations do not compile in one build", failed.len());
        }
    }

    fn write_sources(
        &self,
        mutants: &[Mutant],
        without: &BTreeMap<usize, String>,
    ) -> Result<BTreeMap<String, Schema>> {
        let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
        for (number, mutant) in mutants.iter().enumerate().filter(|(number, _)| !without.contains_key(number))
        {
            files.entry(&mutant.file).or_default().push((number, mutant));
        }
        let mut schemas = BTreeMap::new();
        for file in &self.sources {
            let mutants = files.get(file.as_str()).map_or(&[][..], Vec::as_slice);
            let schema = Schema::new(&fs::read_to_string(file)?, mutants)
                .map_err(|error| format!("{file}: {error}"))?;
            write(&self.root.join(file), self.with_module(file, &schema.text).as_bytes())?;
            schemas.insert(file.clone(), schema);
        }
        Ok(schemas)
    }

    /// Adds the module that says which mutation is active, if this is the root of a crate.
    fn with_module(&self, file: &str, text: &str) -> String {
        match file.ends_with("src/lib.rs") || file.ends_with("src/main.rs") {
            true => format!("{text}{}", MUTATION.replace("@FOLDER@", &self.folder.to_string_lossy())),
            false => text.to_owned(),
        }
    }

    /// Writes a file with one mutation in its plain form, and none of the others. Returns true if the tests of its
    /// package can be built.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_alone(&self, mutant: &Mutant) -> Result<bool> {
        let path = self.root.join(&mutant.file);
        let before = fs::read(&path)?;
        let package = package_of(&mutant.file).ok_or("a mutation outside the packages")?;
        fs::write(&path, self.with_module(&mutant.file, &mutant.apply(&fs::read_to_string(&mutant.file)?)))?;
        let is_viable = self.errors(&[package])?.is_empty();
        if is_viable {
            self.build(&[package])?;
        }
        // Cargo builds it again, since it is newer.
        fs::write(&path, before)?;
        Ok(is_viable)
    }

    /// Builds the tests that `.cargo/mutants.toml` names.
    ///
    /// # Errors
    /// If they cannot be built.
    pub fn tests(&self) -> Result<Vec<Executable>> {
        self.build(PACKAGES.map(|(package, _)| package).as_slice())
    }

    fn build(&self, packages: &[&str]) -> Result<Vec<Executable>> {
        let configuration = fs::read_to_string(".cargo/mutants.toml")?;
        let quoted = configuration
            .lines()
            .map(str::trim)
            .filter_map(|line| line.strip_prefix('"')?.strip_suffix("\","));
        let tests: Vec<&str> = quoted.filter(|text| text.starts_with("--")).collect();
        let messages = self.cargo(&["test", "--no-run"], packages, &tests)?;
        let built = messages
            .iter()
            .filter(|message| message.pointer("/profile/test") == Some(&Value::Bool(true)))
            .filter_map(|message| {
                let path = message["executable"].as_str()?.into();
                let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
                let package = package_of(folder.strip_prefix(&self.root).ok()?.join("src").to_str()?)?;
                Some(Executable { path, folder, package })
            });
        let executables: Vec<Executable> = built.collect();
        if executables.is_empty() { Err("the tests cannot be built".into()) } else { Ok(executables) }
    }

    /// Checks packages, and returns the errors of the compiler.
    fn errors(&self, packages: &[&str]) -> Result<Vec<Value>> {
        let messages = self.cargo(&["check", "--quiet"], packages, &[])?;
        let messages =
            messages.into_iter().filter_map(|mut message| Some(message.get_mut("message")?.take()));
        // The last error of a crate is a summary without a location.
        let is_error =
            |message: &Value| message["level"] == "error" && message["spans"] != Value::Array(Vec::new());
        Ok(messages.filter(is_error).collect())
    }

    /// Runs cargo on packages of the copy, and returns its messages.
    fn cargo(&self, command: &[&str], packages: &[&str], options: &[&str]) -> Result<Vec<Value>> {
        let mut cargo = cargo();
        cargo.args(command).args(["--locked", "--message-format=json"]).args(options);
        cargo.args(packages.iter().flat_map(|package| ["-p", package]));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", self.folder.join("target"));
        // The tests run thousands of times.
        cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        let printed = cargo.stderr(Stdio::null()).output()?.stdout;
        String::from_utf8(printed)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// Returns the package of a source file.
pub fn package_of(file: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|(_, folder)| Path::new(file).starts_with(folder)).map(|(package, _)| *package)
}

/// Writes a file, unless it has this content: cargo builds anew what is newer.
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
