//! The official SDKs, installed into a folder of their own below `target`, and the tests that they are the clients of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Result,
    steps::{cargo, passed, program, root, works},
};

/// What is wanted of each, with its version.
const WANTED: [&str; 2] = ["tests/sdk/requirements.txt", "tests/sdk/package.json"];

/// Why they cannot be installed here, if they cannot.
pub(crate) fn missing() -> Option<String> {
    let python = ["-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 9))"];
    if !works(&mut program("python3", &python)) {
        return Some("no Python of 3.9 or later with venv".to_owned());
    }
    if !works(&mut program("npm", &["--version"])) {
        return Some("no npm".to_owned());
    }
    None
}

/// Installs them, unless that was done before, and runs the tests.
pub(crate) fn test() -> Result {
    let home = root().join("target/sdk");
    install(&home)?;
    let package = ["--package", "battlement-tests", "--test", "sdk"];
    passed(cargo(&["test"]).args(package).env("BATTLEMENT_SDKS", home))
}

fn install(home: &Path) -> Result {
    let wanted = WANTED.map(|file| fs::read_to_string(root().join(file)).unwrap_or_default());
    let wanted = wanted.concat();
    let done = home.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let (venv, node) = (home.join("venv"), home.join("node"));
    let made = |error: std::io::Error| format!("cannot make {}: {error}", home.display());
    fs::create_dir_all(&node).map_err(made)?;
    fs::copy(root().join(WANTED[1]), node.join("package.json")).map_err(made)?;
    passed(program("python3", &["-m", "venv"]).arg(&venv))?;
    let python: PathBuf = venv.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--requirement", WANTED[0]];
    passed(&mut program(&python.to_string_lossy(), &install))?;
    let install = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"];
    passed(program("npm", &install).current_dir(&node))?;
    fs::write(&done, wanted).map_err(made)
}
