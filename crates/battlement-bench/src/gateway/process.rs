//! A program that is measured: on a core of its own, with what it takes.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Is killed when it is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) address: String,
}

impl Process {
    /// This program, doing something else; it says where it listens.
    pub(super) fn of_ours(core: usize, arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("we are a file");
        let child = pinned(core, &program, arguments).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("`taskset`, and we can be started");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut address).expect("said");
        Self { child, address: address.trim().to_owned() }
    }

    /// Another program that will listen there, and how long it took until it did.
    pub(super) fn listening(
        core: usize,
        program: &Path,
        arguments: &[&str],
        address: &str,
    ) -> std::io::Result<(Self, Duration)> {
        let start = Instant::now();
        let mut command = pinned(core, program, arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let process = Self { child, address: address.to_owned() };
        while TcpStream::connect(address).is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(std::io::Error::other("it does not listen"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok((process, start.elapsed()))
    }

    /// What it has used of its core, in microseconds.
    pub(super) fn cpu(&self) -> f64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // Behind the name, which is in brackets and may be anything.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = |field: usize| -> f64 {
            fields.split(' ').nth(field).and_then(|ticks| ticks.parse().ok()).unwrap_or(0.0)
        };
        // A hundred ticks a second, on every Linux.
        (ticks(11) + ticks(12)) * 10_000.0
    }

    /// What it holds in memory, in bytes.
    pub(super) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(0.0) * 1_024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn pinned(core: usize, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program).args(arguments);
    command
}
