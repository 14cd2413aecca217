//! `cargo xtask fuzz`: coverage-guided fuzzing with the stable compiler.
//!
//! cargo-fuzz asks for a nightly compiler because it turns the address sanitizer on. Our code has
//! next to no `unsafe` for that to watch; what we look for are panics, memory without bound
//! and quadratic time, and libFuzzer finds these by itself. The coverage instrumentation it needs
//! is behind stable flags, the same ones that cargo-fuzz passes. With cargo-fuzz and a nightly
//! compiler at hand, `cargo fuzz run --fuzz-dir tests/fuzz TARGET` works as well.
//!
//! A target is a file in `tests/fuzz/fuzz_targets`; nothing else needs to be registered.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Result,
    steps::{cargo, output, passed, program, root, works},
};

const INSTRUMENTATION: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// One input must not take ten seconds, which at these lengths only quadratic time does, nor a
/// gigabyte.
const LIMITS: [&str; 4] =
    ["-timeout=10", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1"];

/// Parses the command line and runs what it names.
pub(crate) fn run(arguments: &[String]) -> Result {
    let mut seconds = 60;
    let mut chosen = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--" => break,
            "--seconds" => {
                let value = arguments.next().ok_or("--seconds needs a number")?;
                seconds = value.parse().map_err(|error| format!("--seconds {value}: {error}"))?;
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            target => chosen.push(target.to_owned()),
        }
    }
    let targets = targets()?;
    if let Some(unknown) = chosen.iter().find(|name| !targets.contains(name)) {
        return Err(format!("no target {unknown}, there are: {}", targets.join(", ")));
    }
    if let Some(why) = missing() {
        return Err(why);
    }
    let chosen = if chosen.is_empty() { &targets } else { &chosen };
    let extra: Vec<&str> = arguments.map(String::as_str).collect();
    fuzz(chosen, Duration::from_secs(seconds), &extra)
}

/// Runs every target for so long.
pub(crate) fn all(each: Duration) -> Result {
    fuzz(&targets()?, each, &[])
}

/// What this machine lacks for fuzzing, if anything.
pub(crate) fn missing() -> Option<String> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    (!works(&mut program(&compiler, &["--version"])))
        .then(|| format!("libFuzzer needs a C++ compiler, and there is no `{compiler}`"))
}

fn fuzz(targets: &[String], each: Duration, extra: &[&str]) -> Result {
    register(targets)?;
    let host = host()?;
    // With a target named, build scripts and macros are built without the instrumentation, which
    // they could not be linked with.
    let mut build = cargo(&["build", "--release", "--manifest-path", "tests/fuzz/Cargo.toml"]);
    // Locked, so that a lock which has fallen behind is noticed and not quietly rewritten.
    build.args(["--locked", "--target", &host]).env("RUSTFLAGS", INSTRUMENTATION.join(" "));
    for target in targets {
        build.args(["--bin", target]);
    }
    passed(build.env("CARGO_TARGET_DIR", folder().join("target")))?;

    let mut failed = Vec::new();
    for target in targets {
        println!("--- {target}, {} s", each.as_secs());
        if let Err(message) = fuzz_one(target, &host, each, extra) {
            eprintln!("{message}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("fuzzing failed: {}", failed.join(", "))) }
}

/// Two rounds, a third of the time for the first one.
///
/// The first grows short inputs out of nothing: it finds what hides behind a few bytes in the right
/// order. The second starts from the captured answers; it comes deep into the formats, but has so
/// much to choose from that it seldom looks at what is small.
fn fuzz_one(target: &str, host: &str, each: Duration, extra: &[&str]) -> Result {
    let binary = folder().join("target").join(host).join("release").join(target);
    let short = made(folder().join("corpus").join(target).join("short"))?;
    let long = made(folder().join("corpus").join(target).join("long"))?;
    let artifacts = made(folder().join("artifacts").join(target))?;
    let command = |arguments: &[&str]| {
        let mut command = program(&binary.to_string_lossy(), &LIMITS);
        command.arg(format!("-artifact_prefix={}/", artifacts.display())).args(arguments);
        command
    };
    if !extra.is_empty() {
        return passed(&mut command(extra));
    }
    let first = (each / 3).max(Duration::from_secs(1)).as_secs();
    let second = each.as_secs().saturating_sub(first).max(1);
    quietly(command(&["-max_len=128", &format!("-max_total_time={first}")]).arg(&short))?;
    // What is found goes to the folder that is named first.
    let seeds = [long, short, root().join("tests/fixtures")];
    quietly(command(&["-max_len=16384", &format!("-max_total_time={second}")]).args(seeds))
}

/// Runs libFuzzer and shows how much it has tried; all that it says is shown when it finds something.
fn quietly(command: &mut Command) -> Result {
    let output = command.output().map_err(|error| format!("cannot start the target: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{said}\n{}", output.status));
    }
    for line in said.lines().filter_map(|line| line.strip_prefix("stat::")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        print!("{}  ", words.join(" "));
    }
    println!();
    Ok(())
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The targets, by their files.
fn targets() -> Result<Vec<String>> {
    let folder = folder().join("fuzz_targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Adds a `[[bin]]` for each target that the manifest does not know yet.
fn register(targets: &[String]) -> Result {
    let path = folder().join("Cargo.toml");
    let shown = |error| format!("{}: {error}", path.display());
    let mut manifest = fs::read_to_string(&path).map_err(shown)?;
    let known = manifest.len();
    for target in targets {
        let file = format!("path = \"fuzz_targets/{target}.rs\"");
        if !manifest.contains(&file) {
            println!("adding {target} to tests/fuzz/Cargo.toml");
            manifest.push_str(&format!(
                "\n[[bin]]\nname = \"{target}\"\n{file}\ntest = false\ndoc = false\nbench = false\n"
            ));
        }
    }
    if manifest.len() == known { Ok(()) } else { fs::write(&path, manifest).map_err(shown) }
}

fn host() -> Result<String> {
    let version = output(&mut program("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

fn folder() -> PathBuf {
    root().join(Path::new("tests/fuzz"))
}
