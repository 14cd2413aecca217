//! The oldest compiler that each published crate promises, checked as far as this machine can.
//!
//! No dependency may need a newer one, clippy's `incompatible_msrv` (on for the whole workspace)
//! knows which of our calls to the standard library do, and where that compiler is installed, it
//! builds the crate.

use crate::{
    Result,
    metadata::{Metadata, RustVersion},
    steps::{output, passed, program},
};

pub(crate) fn check(metadata: &Metadata) -> Result {
    let toolchains = output(&mut program("rustup", &["toolchain", "list"])).unwrap_or_default();
    for package in metadata.members().filter(|package| package.is_published) {
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
        // A toolchain that is not there would be fetched: look first.
        match toolchains.lines().find(|name| name.starts_with(&format!("{promised}."))) {
            None => {
                println!(
                    "compiler {promised} is not installed: {} not built with it",
                    package.name
                );
            }
            Some(line) => {
                let toolchain = line.split_whitespace().next().unwrap_or_default();
                let arguments = ["run", toolchain, "cargo", "check", "--package", &package.name];
                let mut command = program("rustup", &arguments);
                passed(command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN"))?;
            }
        }
    }
    Ok(())
}

impl std::fmt::Display for RustVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}
