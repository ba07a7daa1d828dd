//! An Envoy process: started on free ports, watched, and ended with the test, however the test ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::e2e::client::{Connection, Request, get, request};

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns the Envoy binary: `ENVOY`, or the one that `make test` installs.
pub fn envoy() -> PathBuf {
    existing("ENVOY", ".venv/bin/envoy", "an Envoy binary")
}

/// Returns the module under test: `AUTHGATE_WASM`, or the one that `make build` builds.
pub fn module() -> PathBuf {
    existing("AUTHGATE_WASM", "dist/authgate.wasm", "the built module")
}

/// Returns the module that is built for tests, which verifies signature vectors and traps on request:
/// `AUTHGATE_TESTING_WASM`, or the one that `make test` builds.
pub fn testing_module() -> PathBuf {
    existing("AUTHGATE_TESTING_WASM", "target/authgate-testing.wasm", "the module for tests")
}

/// Returns the file that an environment variable names, or the one at `default`, relative to the root of the
/// repository.
pub fn existing(variable: &str, default: &str, what: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| crate::root().join(default), PathBuf::from);
    assert!(path.exists(), "{what} is needed at {}: run `make test`, or set {variable}", path.display());
    path
}

/// Returns the duration of a test under load: `AUTHGATE_SECONDS`, or `otherwise`, in seconds.
#[allow(dead_code)] // benches use options instead
pub fn seconds(otherwise: u64) -> Duration {
    let asked = std::env::var("AUTHGATE_SECONDS").ok();
    Duration::from_secs(asked.map_or(otherwise, |text| text.parse().expect("AUTHGATE_SECONDS is a number")))
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    crate::root()
}

/// Returns an empty directory for a test.
pub fn directory(name: &str) -> PathBuf {
    let path = crate::target().join("tmp/envoy").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory for the test");
    path
}

/// The result of `envoy --mode validate`.
#[derive(Debug)]
pub struct Validation {
    /// True if Envoy would start with the bootstrap.
    pub accepted: bool,
    /// All output.
    pub output: String,
}

/// Validates a bootstrap with `envoy --mode validate`.
pub fn validate(name: &str, bootstrap: &Value) -> Validation {
    let directory = directory(&format!("validate-{name}"));
    let output = command(&directory, bootstrap)
        .args(["--mode", "validate", "--log-level", "info", "--concurrency", "1"])
        .output()
        .expect("envoy runs");
    let text = [output.stdout, output.stderr].concat();
    Validation { accepted: output.status.success(), output: String::from_utf8_lossy(&text).into_owned() }
}

fn command(directory: &Path, bootstrap: &Value) -> Command {
    let configuration = directory.join("envoy.json");
    fs::write(&configuration, format!("{bootstrap:#}")).expect("a configuration file");
    let mut command = Command::new(envoy());
    command
        .arg("--config-path")
        .arg(configuration)
        .args(["--use-dynamic-base-id", "--disable-hot-restart"])
        .current_dir(crate::root())
        .stdin(Stdio::null());
    command
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    watchdog: Child,
    directory: PathBuf,
    admin: u16,
    /// Port of each listener, by name.
    pub ports: BTreeMap<String, u16>,
}

impl Envoy {
    /// Starts Envoy and waits until it is ready. `environment` is the environment of its process.
    pub fn start(directory: &Path, bootstrap: &Value, environment: &[(&str, &str)]) -> Self {
        Self::start_with_workers(1, directory, bootstrap, environment)
    }

    /// Starts Envoy with several workers, each of which runs the module in its own VM.
    pub fn start_with_workers(
        workers: usize,
        directory: &Path,
        bootstrap: &Value,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_with_arguments(workers, directory, bootstrap, environment, &[])
    }

    /// Starts Envoy with additional arguments.
    pub fn start_with_arguments(
        workers: usize,
        directory: &Path,
        bootstrap: &Value,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let log = File::create(directory.join("envoy.log")).expect("a log file");
        let admin_address = directory.join("admin");
        let mut child = command(directory, bootstrap)
            .arg("--admin-address-path")
            .arg(&admin_address)
            .args(["--concurrency", &workers.to_string()])
            .args(["--log-level", "info", "--file-flush-interval-msec", "20"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(log.try_clone().expect("the log file"))
            .stderr(log)
            .spawn()
            .expect("envoy starts");
        let watchdog = match watchdog(child.id()) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                let _ = child.kill();
                panic!("no watchdog for Envoy: {error}");
            }
        };
        let mut envoy =
            Self { child, watchdog, directory: directory.to_owned(), admin: 0, ports: BTreeMap::new() };
        envoy.wait_until_ready(&admin_address);
        envoy
    }

    fn wait_until_ready(&mut self, admin_address: &Path) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of envoy") {
                panic!("envoy ended with {status}:\n{}", self.log());
            }
            assert!(start.elapsed() < START_TIMEOUT, "envoy does not get ready:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
            let address = fs::read_to_string(admin_address).unwrap_or_default();
            let Some(port) = address.rsplit(':').next().and_then(|port| port.parse().ok()) else { continue };
            self.admin = port;
            if self.admin("/ready").starts_with("LIVE") {
                break;
            }
        }
        let listeners: Value = serde_json::from_str(&self.admin("/listeners?format=json")).expect("JSON");
        for listener in listeners["listener_statuses"].as_array().expect("a list of listeners") {
            let name = listener["name"].as_str().expect("a name").to_owned();
            let port = &listener["local_address"]["socket_address"]["port_value"];
            // A listener on a pipe has no port.
            if let Some(port) = port.as_u64() {
                self.ports.insert(name, port.try_into().expect("a port"));
            }
        }
    }

    /// Returns the process id.
    #[allow(dead_code)] // benches/envoy.rs reads its resource usage
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the port of the admin interface.
    #[allow(dead_code)] // only tests run guides
    pub fn admin_port(&self) -> u16 {
        self.admin
    }

    /// Returns the admin interface's response to GET `path`; empty if there is none.
    pub fn admin(&self, path: &str) -> String {
        self.ask(&get(path))
    }

    /// Returns the admin interface's response to POST `path`; empty if there is none.
    pub fn admin_post(&self, path: &str) -> String {
        self.ask(&request("POST", path).chunked("", &[]))
    }

    fn ask(&self, request: &Request) -> String {
        let answer = Connection::open(self.admin).and_then(|mut admin| admin.send(request, "admin"));
        answer.map(|answer| answer.body).unwrap_or_default()
    }

    /// Returns everything that Envoy and the module have logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.directory.join("envoy.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns all signs of a trap in the module, from any cause.
    pub fn signs_of_a_trap(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| {
            line.contains("panicked at") || line.contains("RuntimeError") || line.contains("Function: ")
        });
        let stats = self.admin("/stats?filter=vm_reload");
        assert!(stats.contains("vm_reload"), "no wasm counters: the filter does not run");
        let counters = stats.lines().filter(|line| !line.ends_with(": 0"));
        lines.chain(counters).map(str::to_owned).collect()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let routine = ["][info]", "no configured limit"];
            log.lines()
                .filter(|line| !routine.iter().any(|r| line.contains(r)))
                .for_each(|line| eprintln!("{line}"));
        }
        let _ = self.child.kill();
        // The pid cannot have been reused: the child has not been waited for yet.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        let _ = self.child.wait();
    }
}

/// Starts a process that ends another if the test process dies without dropping it: the pipe between them closes then.
pub(crate) fn watchdog(process: u32) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -9 \"$0\" 2>/dev/null", &process.to_string()])
        .stdin(Stdio::piped())
        .spawn()
}
