//! The documentation site: mdBook builds it, and every link in it must have a target.
//!
//! mdBook publishes everything in its source folder. The documents link to files outside of `docs/`, such as the sample,
//! so the site is built from a folder with the same layout as the repository and only the files that belong to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, run, target_folder};
use crate::install;
use crate::playground;

/// Files and folders of the site beside `docs/`.
const BESIDE: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "benches",
    "envoy",
];

/// Builds `site` in the target folder, and checks spelling and links.
///
/// # Errors
/// If a tool cannot be installed, the site cannot be built, a word is misspelled, or a link has no target.
pub fn build() -> Result {
    install::tool("mdbook")?;
    install::tool("typos")?;
    let target = std::env::current_dir()?.join(target_folder());
    let (book, site) = (target.join("book"), target.join("site"));
    for folder in [&book, &site] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    let source = book.join("src");
    fs::create_dir_all(&source)?;
    for name in BESIDE.iter().chain(&["docs"]) {
        copy(Path::new(name), &source.join(name))?;
    }
    fs::write(source.join("SUMMARY.md"), summary(&fs::read_to_string("docs/SUMMARY.md")?))?;
    fs::remove_file(source.join("docs/SUMMARY.md"))?;
    for name in ["book.toml", "site.css", "site.js"] {
        fs::rename(source.join("docs").join(name), book.join(name))?;
    }
    let mut mdbook = Command::new(target.join("tools/bin/mdbook"));
    run(mdbook.arg("build").arg("--dest-dir").arg(&site).arg(&book).env("RUST_LOG", "warn"))?;
    run(Command::new(".venv/bin/typos").args(["README.md", "docs"]))?;
    add_playground(&site.join("docs/playground"))?;
    let count = check_links(&site)?;
    println!("{}: {count} links checked", target_folder().join("site/index.html").display());
    Ok(())
}

/// Adds the built files of the playground to those that mdBook copied.
fn add_playground(folder: &Path) -> Result {
    let built = playground::build()?;
    for name in ["examples.js", "module.js"] {
        copy(&built.join(name), &folder.join(name))?;
    }
    Ok(())
}

/// Copies a file or a folder.
fn copy(from: &Path, to: &Path) -> Result {
    if !from.is_dir() {
        fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Makes the links of `docs/SUMMARY.md` relative to the root of the repository.
fn summary(text: &str) -> String {
    text.replace("](", "](docs/").replace("](docs/../", "](")
}

/// Checks that every relative link in a site names a file, and its fragment an element of that file. Returns the number
/// of links.
fn check_links(site: &Path) -> Result<usize> {
    let (mut count, mut faults) = (0, String::new());
    for page in pages(site)? {
        let text = fs::read_to_string(&page)?;
        for link in attributes(&text, "href").chain(attributes(&text, "src")) {
            let link = link.replace("&amp;", "&");
            if link.is_empty()
                || link.contains("://")
                || link.starts_with("data:")
                || link.starts_with("mailto:")
            {
                continue;
            }
            count += 1;
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let to = match file {
                "" => page.clone(),
                _ => page.parent().unwrap_or(site).join(file),
            };
            let is_there = to.is_file()
                && (fragment.is_empty()
                    || attributes(&fs::read_to_string(&to)?, "id").any(|id| id == fragment));
            if !is_there {
                let from = page.strip_prefix(site).unwrap_or(&page);
                faults.push_str(&format!("\n{}: {link}", from.display()));
            }
        }
    }
    if !faults.is_empty() {
        return Err(format!("links without a target:{faults}").into());
    }
    if count < 500 {
        return Err(format!("only {count} links found").into());
    }
    Ok(count)
}

/// Returns the HTML files in a folder and below. mdBook's page for missing pages is meant for the root of a host.
fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(pages(&path)?);
        } else if path.extension().is_some_and(|name| name == "html") && !path.ends_with("404.html") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Returns the values of an attribute in an HTML text.
fn attributes<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {name}=\"");
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&start)?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_target_is_found() {
        let site = target_folder().join("tmp/xtask/site");
        let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(site);
        fs::create_dir_all(&site).unwrap();
        let links =
            |link: &str| format!("<p id=\"a\"></p>{}", format!("<a href=\"{link}\"></a>").repeat(500));
        for (link, is_good) in [
            ("page.html#a", true),
            ("#a", true),
            ("https://example.com/nowhere", false), // nothing is left to check
            ("page.html#b", false),
            ("other.html", false),
        ] {
            fs::write(site.join("page.html"), links(link)).unwrap();
            assert_eq!(check_links(&site).is_ok(), is_good, "{link}");
        }
    }

    #[test]
    fn the_summary_is_relative_to_the_root() {
        assert_eq!(
            summary("[a](../README.md) [b](start/envoy.md)"),
            "[a](README.md) [b](docs/start/envoy.md)"
        );
    }
}
