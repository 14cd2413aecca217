//! Where and with what a run was made: a number without its machine says nothing.

use std::{
    fmt, fs,
    process::Command,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Crates whose versions belong to the result.
const CRATES: [&str; 13] = [
    "battlement-core",
    "eventsource-stream",
    "governor",
    "jiter",
    "memchr",
    "serde_json",
    "sonic-rs",
    "sse-stream",
    "tower",
    "tower-resilience-circuitbreaker",
    "tower-resilience-ratelimiter",
    "tower-resilience-retry",
    "tower-resilience-timelimiter",
];

/// The machine, the compiler and the versions of everybody.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Machine {
    processor: String,
    threads: usize,
    system: String,
    compiler: String,
    /// What the program was compiled for, beyond the architecture's least. Some peers choose their
    /// SIMD code at compile time: `RUSTFLAGS="-C target-cpu=native"` shows them at their best.
    target_features: Vec<&'static str>,
    versions: Vec<(&'static str, String)>,
    unix_time: u64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler.map_or_else(
            |_| "unknown".into(),
            |output| String::from_utf8_lossy(&output.stdout).trim().into(),
        );
        let threads = thread::available_parallelism().map_or(1, Into::into);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            processor: processor.into(),
            threads,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            compiler,
            target_features: target_features(),
            versions: CRATES.map(|name| (name, version(name))).into(),
            unix_time: time.as_secs(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, threads, system, compiler, .. } = self;
        writeln!(f, "{processor}, {threads} threads, {system}; {compiler}")?;
        match self.target_features.as_slice() {
            [] => writeln!(f, "compiled for every processor of the architecture")?,
            features => writeln!(f, "compiled for {}", features.join(" "))?,
        }
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(f, "{}", versions.join(", "))
    }
}

fn target_features() -> Vec<&'static str> {
    [
        ("sse4.2", cfg!(target_feature = "sse4.2")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("pclmulqdq", cfg!(target_feature = "pclmulqdq")),
        ("avx512bw", cfg!(target_feature = "avx512bw")),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect()
}

/// From the lock file, so that it is the version that ran.
fn version(name: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let found = lock.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
    found.map_or_else(|| "not linked".into(), |(version, _)| version.into())
}
