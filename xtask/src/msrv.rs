//! The oldest compiler that each published crate promises, checked as far as this machine can.
//!
//! No dependency may need a newer one, clippy's `incompatible_msrv` (on for the whole workspace)
//! knows which of our calls to the standard library do, and where that compiler is installed, it
//! builds the crate.

use std::collections::BTreeSet;

use crate::{
    Result,
    metadata::{Metadata, Package, RustVersion},
    steps::{output, passed, program},
};

/// Compares what is promised with what the dependencies declare.
pub(crate) fn check(metadata: &Metadata) -> Result {
    for package in published(metadata) {
        let Some(promised) = package.rust_version else {
            return Err(format!("{} declares no rust-version", package.name));
        };
        let needed = metadata.reachable(package);
        for dependency in &needed {
            if let Some(version) = dependency.rust_version.filter(|&version| version > promised) {
                return Err(format!(
                    "{} promises {promised}, but {} {} needs {version}",
                    package.name, dependency.name, dependency.version
                ));
            }
        }
        let silent = needed.iter().filter(|dependency| dependency.rust_version.is_none()).count();
        let highest = needed.iter().filter_map(|dependency| dependency.rust_version).max();
        let highest = highest.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
        println!(
            "{} promises {promised}; its dependencies ask for {highest} at most ({silent} of {} do not say)",
            package.name,
            needed.len()
        );
    }
    Ok(())
}

/// Every version that a published crate promises.
pub(crate) fn promises(metadata: &Metadata) -> BTreeSet<RustVersion> {
    published(metadata).filter_map(|package| package.rust_version).collect()
}

/// The installed toolchain of this version. Naming one that is not there would fetch it: look first.
pub(crate) fn toolchain(version: RustVersion) -> Option<String> {
    find(&output(&mut program("rustup", &["toolchain", "list"])).ok()?, version)
}

/// Builds the crates that promise this version.
pub(crate) fn build(metadata: &Metadata, promised: RustVersion, toolchain: &str) -> Result {
    for package in published(metadata).filter(|package| package.rust_version == Some(promised)) {
        let arguments = ["run", toolchain, "cargo", "check", "--package", &package.name];
        let mut command = program("rustup", &arguments);
        passed(command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN"))?;
    }
    Ok(())
}

fn published(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.members().filter(|package| package.is_published)
}

/// Its name begins with the version, with or without the third number.
fn find(toolchains: &str, version: RustVersion) -> Option<String> {
    let names = toolchains.lines().filter_map(|line| line.split_whitespace().next());
    let starts = [format!("{version}."), format!("{version}-")];
    let mut found = names.filter(|name| starts.iter().any(|start| name.starts_with(start)));
    found.next().map(str::to_owned)
}

impl std::fmt::Display for RustVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let check = |list, name: Option<&str>| {
            assert_eq!(find(list, RustVersion(1, 85)).as_deref(), name, "{list:?}");
        };
        check("", None);
        check("stable-x86_64-unknown-linux-gnu (active, default)\n1.95.0-x86_64-apple", None);
        check("1.8.5-x86_64\n1.850.0-x86_64", None);
        check("1.95.0-x86_64\n1.85.1-x86_64 (default)", Some("1.85.1-x86_64"));
        check("1.85-x86_64", Some("1.85-x86_64"));
    }
}
