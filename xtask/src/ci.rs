//! `cargo xtask ci`: the gates besides the tests, in the order in which they pay off.

use crate::{
    Result, dependencies, features,
    metadata::Metadata,
    msrv, sources,
    steps::{Steps, cargo, output, passed, program, works},
};

const WASM: &str = "wasm32-unknown-unknown";
const FUZZ: &str = "tests/fuzz/Cargo.toml";

pub(crate) fn run() -> Result {
    let metadata = Metadata::read()?;
    let mut steps = Steps::default();
    steps.run("format", || {
        passed(&mut cargo(&["fmt", "--all", "--check"]))?;
        passed(&mut cargo(&["fmt", "--manifest-path", FUZZ, "--check"]))
    });
    steps.run("promises of the sources", sources::check);
    steps.run("directions of dependencies", || dependencies::check(&metadata));
    steps.run("lints", || {
        passed(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]))?;
        // Left out of all targets by `test = false`.
        let left_out = ["--package", "battlement-tests", "--test", "hostile", "--test", "sdk"];
        passed(cargo(&["clippy"]).args(left_out).args(["--", "-D", "warnings"]))
    });
    steps.run("documentation", || {
        let mut doc = cargo(&["doc", "--no-deps", "--workspace", "--all-features"]);
        passed(doc.env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("each feature alone", || features::check(&metadata));
    steps.run("oldest compiler", || msrv::check(&metadata));

    // These need something that not every machine has. They are said to be missing, but a gate
    // does not fail for it: most of what they would find is found by the versions that dependencies
    // declare, and by the lints on newer functions and on clock reads.
    for promised in msrv::promises(&metadata) {
        let name = format!("build with {promised}");
        match msrv::toolchain(promised) {
            Some(toolchain) => {
                steps.run(&name, || msrv::build(&metadata, promised, &toolchain));
            }
            None => steps.not_run(&name, "compiler not installed"),
        }
    }
    let targets = output(&mut program("rustc", &["--print", "sysroot"]))?;
    if std::path::Path::new(targets.trim()).join("lib/rustlib").join(WASM).exists() {
        steps.run("core for wasm", || {
            passed(&mut cargo(&["check", "--package", "battlement-core", "--target", WASM]))
        });
    } else {
        steps.not_run("core for wasm", "target not installed");
    }
    if works(&mut cargo(&["deny", "--version"])) {
        steps.run("licences and advisories", || passed(&mut cargo(&["deny", "check"])));
    } else {
        steps.not_run("licences and advisories", "cargo-deny not installed");
    }
    steps.finish(false)
}
