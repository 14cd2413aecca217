//! What the gateway adds to a call, next to a reverse proxy that does nothing: the floor.
//!
//! Load and provider are on one core, the proxy that is measured on the other, and they take turns, since the
//! machine is never the same for long. Build the program first: `cargo build --release`.

mod floor;
mod mock;
mod process;

use std::{fs, net::TcpListener, path::PathBuf, time::Instant};

use process::Process;
use tokio::runtime::Runtime;

use crate::{
    Bench,
    load::{QUESTION, STREAMED, Took, ask},
    report::{Bound, Figure, Spread},
};

const LOAD: usize = 0;
const PROXY: usize = 1;

const GATEWAY: &str = "battlement";
const FLOOR: &str = "plain hyper proxy";
const DIRECT: &str = "no proxy";

/// Whether this program is to be one of the servers, and has been until it was killed.
pub(crate) fn has_served(arguments: &[String]) -> bool {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve-mock"] => runtime().block_on(mock::serve()),
        ["serve-floor", to] => runtime().block_on(floor::serve(to)),
        _ => return false,
    }
    true
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Who is asked.
struct Contender {
    name: &'static str,
    address: String,
    process: Option<Process>,
}

pub(crate) fn run(bench: &mut Bench) {
    let Some(program) = program() else {
        eprintln!("not measured: there is no gateway, `cargo build --release` makes it");
        return;
    };
    let _pinned = std::process::Command::new("taskset")
        .args(["-a", "-c", "-p", &LOAD.to_string(), &std::process::id().to_string()])
        .stdout(std::process::Stdio::null())
        .status();
    let mock = Process::of_ours(LOAD, &["serve-mock"]);
    let floor = Process::of_ours(PROXY, &["serve-floor", &mock.address]);
    let gateway = match gateway(&program, &mock.address, bench) {
        Ok(gateway) => gateway,
        Err(error) => return eprintln!("not measured: {}: {error}", program.display()),
    };
    let contenders = [
        Contender { name: DIRECT, address: mock.address.clone(), process: None },
        Contender { name: FLOOR, address: floor.address.clone(), process: Some(floor) },
        Contender { name: GATEWAY, address: gateway.address.clone(), process: Some(gateway) },
    ];
    let runtime = runtime();
    one_at_a_time(bench, &runtime, &contenders);
    many(bench, &runtime, &contenders);
    streams(bench, &runtime, &contenders);
}

/// The program, beside this one.
fn program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name("battlement");
    program.exists().then_some(program)
}

/// The gateway in front of the mock, with what it takes to start and to do nothing.
fn gateway(program: &std::path::Path, mock: &str, bench: &mut Bench) -> std::io::Result<Process> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let config = std::env::temp_dir().join(format!("battlement-bench-{}.toml", std::process::id()));
    fs::write(&config, config_of(&port, mock))?;
    let path = config.to_string_lossy();
    let started = Process::listening(PROXY, program, &["serve", "--config", &path], &port);
    let _removed = fs::remove_file(&config);
    let (process, took) = started?;
    let millis = took.as_secs_f64() * 1e3;
    figure(bench, "gateway/start", GATEWAY, "milliseconds until it listens", millis, Some(50.0));
    let mebibytes = process.resident() / 1_048_576.0;
    figure(bench, "gateway/start", GATEWAY, "MiB when idle", mebibytes, Some(20.0));
    Ok(process)
}

fn config_of(listen: &str, mock: &str) -> String {
    format!(
        r#"
listen = "{listen}"
log = "off"

[providers.mock]
kind = "openai"
base_url = "http://{mock}"
key = "sk-of-the-gateway"

[[models]]
name = "*"
to = [{{ provider = "mock" }}]
"#
    )
}

fn figure(
    bench: &mut Bench,
    scenario: &str,
    contender: &'static str,
    what: &'static str,
    value: f64,
    most: Option<f64>,
) {
    let goal = most.map(Bound::AtMost);
    bench.figure(Figure { scenario: scenario.into(), contender, what, value, goal });
}

/// Middle values of some rounds in which the contenders take turns.
fn rounds<const N: usize>(
    rounds: usize,
    contenders: &[Contender],
    mut measure: impl FnMut(&Contender) -> [f64; N],
) -> Vec<[f64; N]> {
    let mut samples = vec![[const { Vec::new() }; N]; contenders.len()];
    for _ in 0..rounds {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            for (value, samples) in measure(contender).into_iter().zip(samples) {
                samples.push(value);
            }
        }
    }
    let middle = |samples: Vec<f64>| Spread::of(samples).median;
    samples.into_iter().map(|samples| samples.map(middle)).collect()
}

fn median(took: &[Took], of: fn(&Took) -> f64) -> f64 {
    Spread::of(took.iter().map(of)).median
}

/// One call after the other on one connection.
fn one_at_a_time(bench: &mut Bench, runtime: &Runtime, contenders: &[Contender]) {
    if !bench.wants("gateway/one") {
        return;
    }
    let (turns, each) = if bench.is_quick() { (5, 300) } else { (25, 2_000) };
    let found = rounds(turns, contenders, |contender| {
        let took = runtime.block_on(ask(&contender.address, 1, each, QUESTION));
        [median(&took, |took| took.all)]
    });
    for (contender, [micros]) in contenders.iter().zip(&found) {
        let goal = (contender.name == GATEWAY).then(|| found[1][0] + 40.0);
        figure(bench, "gateway/one", contender.name, "microseconds a call, median", *micros, goal);
    }
}

/// As many as there is a core for.
fn many(bench: &mut Bench, runtime: &Runtime, contenders: &[Contender]) {
    if !bench.wants("gateway/many") {
        return;
    }
    let (turns, each) = if bench.is_quick() { (3, 200) } else { (9, 1_000) };
    let found = rounds(turns, contenders, |contender| {
        let cpu = || contender.process.as_ref().map_or(0.0, Process::cpu);
        let (start, before) = (Instant::now(), cpu());
        let took = runtime.block_on(ask(&contender.address, 32, each, QUESTION));
        let calls = took.len() as f64;
        [calls / start.elapsed().as_secs_f64(), (cpu() - before) / calls]
    });
    for (contender, [per_second, micros]) in contenders.iter().zip(&found) {
        let is_ours = contender.name == GATEWAY;
        let goal = is_ours.then(|| Bound::AtLeast(0.6 * found[1][0]));
        let (scenario, contender) = ("gateway/many".to_owned(), contender.name);
        let what = "calls a second, 32 connections";
        bench.figure(Figure { scenario, contender, what, value: per_second.round(), goal });
        let goal = is_ours.then(|| 1.6 * found[1][1]);
        figure(bench, "gateway/many", contender, "microseconds of its core a call", *micros, goal);
    }
}

/// Streams of events that come one by one.
fn streams(bench: &mut Bench, runtime: &Runtime, contenders: &[Contender]) {
    if !bench.wants("gateway/streams") {
        return;
    }
    let (turns, each) = if bench.is_quick() { (3, 1) } else { (7, 3) };
    let found = rounds(turns, contenders, |contender| {
        let cpu = || contender.process.as_ref().map_or(0.0, Process::cpu);
        let before = cpu();
        let took = runtime.block_on(ask(&contender.address, 16, each, STREAMED));
        let events = (took.len() * mock::EVENTS) as f64;
        let used = (cpu() - before) / events;
        let alone = runtime.block_on(ask(&contender.address, 1, 2, STREAMED));
        [median(&alone, |took| took.first), used]
    });
    for (contender, [first, micros]) in contenders.iter().zip(&found) {
        let is_ours = contender.name == GATEWAY;
        let goal = is_ours.then(|| found[1][0] + 50.0);
        let what = "microseconds until the first event";
        figure(bench, "gateway/streams", contender.name, what, *first, goal);
        let goal = is_ours.then(|| 1.3 * found[1][1]);
        let what = "microseconds of its core an event";
        figure(bench, "gateway/streams", contender.name, what, *micros, goal);
    }
}
