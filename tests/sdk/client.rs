//! The official SDKs, each a program of its own that is told what to do line by line.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// An SDK.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sdk {
    OpenAiPython,
    OpenAiNode,
    AnthropicPython,
}

impl Sdk {
    pub(crate) const ALL: [Self; 3] = [Self::OpenAiPython, Self::OpenAiNode, Self::AnthropicPython];

    /// What is behind the address of the server in the base that this SDK is given.
    pub(crate) fn base(self, url: &str) -> String {
        match self {
            Self::OpenAiPython | Self::OpenAiNode => format!("{url}/v1"),
            Self::AnthropicPython => url.to_owned(),
        }
    }

    fn command(self) -> Command {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/clients");
        let home = home();
        let (program, script) = match self {
            Self::OpenAiPython => (home.join("venv/bin/python"), "openai_client.py"),
            Self::AnthropicPython => (home.join("venv/bin/python"), "anthropic_client.py"),
            Self::OpenAiNode => (PathBuf::from("node"), "openai_client.mjs"),
        };
        let mut command = Command::new(program);
        command.arg(clients.join(script)).env("NODE_HOME", home.join("node"));
        command
    }
}

/// Where `cargo xtask test` has installed them.
fn home() -> PathBuf {
    match env::var_os("BATTLEMENT_SDKS") {
        Some(home) => home.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/sdk"),
    }
}

/// A running program with an SDK in it.
pub(crate) struct Client {
    sdk: Sdk,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Is killed with it.
    _child: Child,
}

impl Client {
    pub(crate) fn start(sdk: Sdk) -> Self {
        let mut command = sdk.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{sdk:?} cannot be started ({error}): `cargo xtask test` installs it")
        });
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { sdk, input, output: BufReader::new(output).lines(), _child: child }
    }

    /// Does something with a server, and tells what came of it. Settings of the SDK are among `also`.
    pub(crate) async fn play(&mut self, url: &str, task: &str, also: Value) -> Value {
        let mut asked = also;
        asked["task"] = task.into();
        asked["base_url"] = self.sdk.base(url).into();
        self.input.write_all(format!("{asked}\n").as_bytes()).await.unwrap();
        let line = self.output.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{:?} has ended at {asked}", self.sdk));
        serde_json::from_str(&line).unwrap()
    }
}
