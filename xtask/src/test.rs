//! `cargo xtask test`: everything that must pass.

use std::{env, fs, path::PathBuf, time::Duration};

use crate::{
    Result, fuzz, sdk,
    steps::{Steps, cargo, is_ci, passed, root},
};

/// Long enough to read the seeds and to notice a target that fails at once.
const FUZZ_SMOKE: Duration = Duration::from_secs(5);

pub(crate) fn run() -> Result {
    let mut steps = Steps::default();
    // Documentation tests are part of it, as no kind of target is named.
    steps.run("tests", || {
        passed(&mut cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]))
    });
    // Not one of the above, as a gigabyte of hostile answer takes too long without optimization. One after the
    // other, since some compare times.
    steps.run("hostile answers", || {
        let package = ["--package", "battlement-tests", "--test", "hostile"];
        passed(cargo(&["test", "--release"]).args(package).args(["--", "--test-threads=1"]))
    });
    // It ends with an error when a figure is missed that has to hold. Mostly building, since the program is in no other step.
    steps.run("the lab", lab);
    // Every interleaving of a few threads, for what they share. In a folder of its own:
    // other flags would throw away what the tests above have built.
    steps.run("models of threads", || {
        model("battlement-core", &["--test", "loom_budget"])?;
        model("battlement", &["--no-default-features", "--lib", "line::model"])?;
        let flights = ["--no-default-features", "--features", "cache", "--lib", "flight::model"];
        model("battlement", &flights)
    });
    match sdk::missing() {
        None => steps.run("official SDKs", sdk::test),
        Some(why) => steps.not_run("official SDKs", &why),
    }
    match fuzz::missing() {
        None => steps.run("fuzz targets", || fuzz::all(FUZZ_SMOKE)),
        Some(why) => steps.not_run("fuzz targets", &why),
    }
    steps.finish(is_ci())
}

/// The quick set of the experiment with outages. Its figures are left for whoever wants to see them.
fn lab() -> Result {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Everything may be built elsewhere, as a file of settings says, and then it is not there yet.
    fs::create_dir_all(&target)
        .map_err(|error| format!("cannot make {}: {error}", target.display()))?;
    let program = ["--package", "battlement-gateway", "--", "lab", "--quick", "--json"];
    passed(cargo(&["run", "--release"]).args(program).arg(target.join("lab.json")))
}

/// Runs the models that these arguments name.
fn model(package: &str, tests: &[&str]) -> Result {
    let target = root().join("target/loom");
    passed(
        cargo(&["test", "--release", "--package", package])
            .args(tests)
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", target),
    )
}
