//! Third-party programs that some tests run. If a program is missing, the test prints a message and is skipped; if `CI`
//! is set, it fails.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::e2e::process::{root, watchdog};

/// True if a program runs and exits successfully.
pub fn is_there(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Returns the program, or reports that the test needs it.
pub fn or_skip<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "this test needs {what}");
        eprintln!("skipped: this test needs {what}");
    }
    found
}

/// Returns a Chromium: `CHROMIUM`, or the first of its usual names that exists.
pub fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let names = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    named.into_iter().chain(names).find_map(|name| {
        let path = Command::new("sh").args(["-c", "command -v \"$0\"", &name]).output().ok()?;
        let path = String::from_utf8_lossy(&path.stdout).trim().to_owned();
        (!path.is_empty()).then_some(path)
    })
}

/// True if the npm packages of the tests in a browser are installed; otherwise reports that the test needs them.
pub fn has_browser_packages() -> bool {
    let packages = ["playwright-core", "axe-core"];
    let are_there = packages.iter().all(|name| root().join("tests/browser/node_modules").join(name).exists());
    or_skip("`npm ci` in tests/browser, which `make test` does", are_there.then_some(())).is_some()
}

/// Returns a Python interpreter with a package: `PYTHON`, the one that `make test` installs, or the system's.
pub fn python_with(package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("PYTHON").map(PathBuf::from);
    let candidates = named.into_iter().chain([root().join(".venv/bin/python"), "python3".into()]);
    let import = format!("import {package}");
    let found = candidates.into_iter().find(|python| is_there(python, &["-c", &import]));
    or_skip(&format!("Python with {package}, which `make test` installs"), found)
}

/// Returns a folder of tests whose npm packages are installed, if Node is there.
pub fn npm_folder(folder: &str) -> Option<PathBuf> {
    let path = root().join(folder);
    or_skip("Node", is_there("node", &["--version"]).then_some(()))?;
    let installed = path.join("node_modules").is_dir();
    or_skip(&format!("`npm ci` in {folder}, which `make test` does"), installed.then_some(path))
}

/// Returns a port that was free a moment ago, for programs that do not report theirs.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port").port()
}

/// A third-party server on a port of 127.0.0.1. It ends when it is dropped, or with the test process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    watchdog: Option<Child>,
    /// Port on 127.0.0.1.
    pub port: u16,
}

impl Server {
    /// Starts a program that prints `port N` as its first line, and ends when its standard input is closed.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server starts");
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let Some(port) = line.strip_prefix("port ").and_then(|port| port.trim().parse().ok()) else {
            let _ = child.kill();
            panic!("no port from {command:?}: {read:?} {line:?}");
        };
        Self { child, watchdog: None, port }
    }

    /// Starts nginx with the contents of its `http` block, in which `$PORT` is replaced by the port to listen on.
    pub fn nginx(program: impl AsRef<OsStr>, directory: &Path, http: &str) -> Self {
        let port =
            TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let folder = directory.display();
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .join("\n");
        let text = format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}\n{}\n}}\n",
            http.replace("$PORT", &port.to_string())
        );
        let configuration = directory.join("nginx.conf");
        std::fs::write(&configuration, text).expect("a configuration file");
        let log = directory.join("nginx.log");
        let mut command = Command::new(program);
        command.arg("-e").arg(&log).arg("-g").arg(format!("error_log {} error;", log.display()));
        command.arg("-c").arg(configuration).stdin(Stdio::null());
        let mut child = command.spawn().expect("nginx starts");
        let watchdog = match watchdog(child.id()) {
            Ok(watchdog) => Some(watchdog),
            Err(error) => {
                let _ = child.kill();
                panic!("no watchdog for nginx: {error}");
            }
        };
        let mut server = Self { child, watchdog, port };
        for _ in 0..250 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                panic!("nginx ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx does not listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // The pid cannot have been reused: the child has not been waited for yet.
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
        let _ = self.child.wait();
    }
}
