//! Commands, and the files that they make.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

/// Result of a build step; an error is a message for the developer.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Runs a command. Its own messages say why it fails; arguments are not repeated, since they may contain a password.
///
/// # Errors
/// If the command cannot be started, or is not successful.
pub fn run(command: &mut Command) -> Result {
    let status = command.status();
    succeed(command, status)?;
    Ok(())
}

/// Runs a command and returns its standard output without surrounding white space.
///
/// # Errors
/// If the command cannot be started, is not successful, or does not print UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let (status, output) = match output {
        Ok(output) => (Ok(output.status), output.stdout),
        Err(error) => (Err(error), Vec::new()),
    };
    succeed(command, status)?;
    Ok(String::from_utf8(output)?.trim().to_owned())
}

fn succeed(command: &Command, status: io::Result<ExitStatus>) -> Result {
    let program = command.get_program().to_string_lossy();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}").into()),
        Err(error) => Err(format!("{program}: {error}").into()),
    }
}

/// True if a program can be started.
pub fn is_available(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// True if a file does not exist, or is older than one of its inputs. If an input is a folder, the files
/// in it count. An input that does not exist is ignored.
pub fn is_outdated<I: AsRef<Path>>(file: &Path, inputs: impl IntoIterator<Item = I>) -> bool {
    let Some(made) = modified(file) else { return true };
    inputs.into_iter().filter_map(|input| newest(input.as_ref())).any(|changed| changed > made)
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

fn newest(path: &Path) -> Option<SystemTime> {
    match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| newest(&entry.ok()?.path())).max(),
        Err(_) => modified(path),
    }
}

/// Writes an empty file as a record that a step is complete.
///
/// # Errors
/// If the file cannot be written.
pub fn stamp(file: &Path) -> Result {
    Ok(fs::write(file, "").map_err(|error| format!("{}: {error}", file.display()))?)
}

/// Cargo, as the one that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns the folder of build artifacts.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A file in a folder of its own, last changed `age` seconds ago.
    fn file(folder: &str, name: &str, age: u64) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let path = root.join(target_folder()).join("tmp/xtask").join(folder).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        path
    }

    #[test]
    fn a_file_is_outdated_if_an_input_is_newer() {
        let made = file("outdated", "made", 100);
        let older = file("outdated", "older", 200);
        let folder = file("outdated", "folder/inner/older", 300);
        let folder = folder.parent().unwrap().parent().unwrap();
        let missing = Path::new("no such file");
        assert!(!is_outdated(&made, [older.as_path(), folder, missing]));
        assert!(is_outdated(missing, [&older]));
        file("outdated", "folder/inner/newer", 50);
        assert!(is_outdated(&made, [older.as_path(), folder]));
        fs::remove_file(folder.join("inner/newer")).unwrap();
        assert!(!is_outdated(&made, [folder]));
    }

    #[test]
    fn a_command_that_fails_is_an_error_without_its_arguments() {
        let failed =
            run(Command::new("cargo").args(["no-such-command", "--password=secret"]).stderr(Stdio::null()));
        let message = failed.unwrap_err().to_string();
        assert!(message.starts_with("cargo: exit status: "), "{message}");
        assert!(!message.contains("secret"));
        let missing = run(&mut Command::new("no-such-program-anywhere")).unwrap_err().to_string();
        assert!(missing.starts_with("no-such-program-anywhere: "), "{missing}");
    }
}
