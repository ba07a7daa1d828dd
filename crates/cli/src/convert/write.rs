//! Files of converted configurations.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::label;
use super::output::Output;
use crate::Failure;

/// Writes each configuration into a separate file, and lists the files.
///
/// # Errors
/// Fails if a file exists and `may_overwrite` is false; then nothing is written. Also fails if a file cannot be
/// written.
pub fn files(outputs: &[Output], folder: &Path, may_overwrite: bool) -> Result<String, Failure> {
    let paths: Vec<_> = names(outputs).iter().map(|name| folder.join(name)).collect();
    let existing = paths.iter().filter(|path| fs::symlink_metadata(path).is_ok());
    let existing: Vec<String> = existing.map(|path| path.display().to_string()).collect();
    if !existing.is_empty() && !may_overwrite {
        return Err(format!("{}: exists; --force overwrites it. Nothing was written", existing.join(", ")));
    }
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut list = String::new();
    for (path, output) in paths.iter().zip(outputs) {
        let mut options = OpenOptions::new();
        options.write(true);
        // A file that is created between the check and the write is not overwritten either.
        if may_overwrite {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(path).and_then(|mut file| file.write_all(output.render().as_bytes()));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        let about = output.head.first().map(|head| format!(": {}", one_line(head))).unwrap_or_default();
        list.push_str(&format!("{}{about}\n", path.display()));
    }
    Ok(list)
}

/// The names of the output files: the name of the input file, with a number if several configurations are from it. No
/// two names are equal, even if letter case is ignored.
fn names(outputs: &[Output]) -> Vec<String> {
    let stems: Vec<String> = outputs.iter().map(stem).collect();
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(stems.len());
    for stem in &stems {
        let is_only = stems.iter().filter(|other| *other == stem).count() == 1;
        let plain = is_only.then(|| format!("{stem}.yaml"));
        let numbered = (1..).map(|number| format!("{stem}-{number}.yaml"));
        names.extend(plain.into_iter().chain(numbered).find(|name| taken.insert(name.to_ascii_lowercase())));
    }
    names
}

fn stem(output: &Output) -> String {
    let file = output.at.as_ref().map_or("authgate", |at| &at.file);
    let file = if file == "<stdin>" { "stdin" } else { file };
    label(Path::new(file).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default().as_ref())
}

/// The first sentence of a comment.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::finding::At;
    use super::*;

    #[test]
    fn names_are_those_of_the_input_and_never_twice() {
        let of = |file: &str| Output::from(At { file: file.into(), line: 1 });
        let outputs = ["a/x.yaml", "b/y.yaml", "c/x.yml", "<stdin>", "..", "é/ü.json", "z"].map(of);
        let expected = ["x-1.yaml", "y.yaml", "x-2.yaml", "stdin.yaml", "unnamed.yaml", "-.yaml", "z.yaml"];
        assert_eq!(names(&outputs), expected);
        assert_eq!(names(&[Output::default()]), ["authgate.yaml"]);
        // A file whose name looks like a numbered one of another.
        let outputs = ["x-1.yaml", "x.yaml", "x.json", "X-2.yml"].map(of);
        assert_eq!(names(&outputs), ["x-1.yaml", "x-2.yaml", "x-3.yaml", "X-2-1.yaml"]);
    }
}
