//! Recorded requests: lines of an access log or entries of a HAR file.

mod access_log;
mod har;

use std::path::{Path, PathBuf};

use crate::request::OwnRequest;
use crate::{Failure, input};

/// Options for recorded requests.
#[derive(clap::Args)]
pub struct RecordedRequests {
    /// An Envoy access log, instead of a URL: the default text format, the format of Istio, or JSON lines; `-` is
    /// standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "request", "har"])]
    access_log: Option<PathBuf>,
    /// A HAR file, as exported by browsers, instead of a URL; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "request"])]
    har: Option<PathBuf>,
    /// The number of the line or entry, from 1. Default: the only entry, or a summary of all entries.
    #[arg(long, value_name = "N")]
    entry: Option<usize>,
}

/// The two kinds of recording.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AccessLog,
    Har,
}

/// A recorded request.
pub struct Entry {
    /// The line in an access log, or the index in a HAR file, from 1.
    pub number: usize,
    /// The status of the recorded response.
    pub status: Option<u16>,
    /// The request, or the reason why it cannot be read.
    pub request: Result<OwnRequest, &'static str>,
}

/// Recorded requests.
pub struct Recording {
    pub kind: Kind,
    pub name: String,
    pub entries: Vec<Entry>,
    /// Set if there is only one request, or `--entry` selected it.
    pub is_one: bool,
}

impl RecordedRequests {
    /// Reads the recording, if the arguments name one.
    ///
    /// # Errors
    /// If the recording cannot be read, or does not have the entry of `--entry`.
    pub fn read(&self) -> Result<Option<Recording>, Failure> {
        let (kind, path) = match (&self.access_log, &self.har) {
            (Some(path), _) => (Kind::AccessLog, path),
            (None, Some(path)) => (Kind::Har, path),
            (None, None) if self.entry.is_some() => {
                return Err("--entry needs --access-log or --har".to_owned());
            }
            (None, None) => return Ok(None),
        };
        read(kind, path, self.entry).map(Some)
    }
}

fn read(kind: Kind, path: &Path, wanted: Option<usize>) -> Result<Recording, Failure> {
    let name = input::name(path);
    let bytes = input::read_bytes(path)?;
    let (mut entries, what) = match kind {
        Kind::AccessLog => (access_log::entries(&bytes), "lines"),
        Kind::Har => (har::entries(&name, &bytes)?, "entries"),
    };
    if entries.iter().all(|entry| entry.request.is_err()) {
        return Err(match (kind, entries.first()) {
            (_, None) => format!("{name}: no {what}"),
            (_, Some(Entry { request: Err(why), number, .. })) => format!("{name}:{number}: {why}"),
            _ => format!("{name}: no requests"),
        });
    }
    if let Some(wanted) = wanted {
        let count = entries.len();
        entries.retain(|entry| entry.number == wanted);
        match entries.first() {
            None => return Err(format!("{name}: --entry {wanted}: expected one of its {count} {what}")),
            Some(Entry { request: Err(why), number, .. }) => return Err(format!("{name}:{number}: {why}")),
            Some(_) => {}
        }
    }
    let is_one = entries.len() == 1;
    Ok(Recording { kind, name, entries, is_one })
}
