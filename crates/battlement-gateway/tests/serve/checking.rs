//! `battlement check`, as a person runs it.

use std::process::Command;

use battlement_sim::{Provider, serve::Server};

use crate::rig::{File, file};

/// A model that is asked with the keys of clients.
const PASSED: &str = "[providers.client]\nkind = \"openai\"\npass_key = true\n\
    [[models]]\nname = \"passed\"\nto = [{ provider = \"client\" }]\n";

/// Its status, and what it writes.
fn check(file: &File, options: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_battlement"));
    let output = program.arg("check").arg("--config").arg(&file.0).args(options).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_file_is_told_what_it_comes_to() {
    let (status, text) = check(&File::new("fine", &file("http://127.0.0.1:1")), &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.contains("warning: provider `main`: the key is in the configuration itself"),
        "{text}"
    );
    assert!(
        text.contains("\nmine\n  to main, as theirs\n  interactive: 3 attempts of up to 600s"),
        "{text}"
    );
    let (status, text) = check(&File::new("wrong", "\nlog = 3\n"), &[]);
    assert_eq!(status, Some(2));
    assert!(text.contains("line 2: "), "{text}");
    let unset = file("http://127.0.0.1:1").replace("key =", "key_env =");
    let (status, text) = check(&File::new("unset", &unset), &[]);
    assert_eq!(status, Some(2));
    assert!(text.contains("the environment variable sk-of-the-gateway is not set"), "{text}");
}

#[test]
fn the_worst_case_is_that_of_the_slowest_place() {
    let slow = "[providers.slow]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\npass_key = true\n\
        timeouts = { total = \"50m\" }\n[providers.quick]\nkind = \"openai\"\nkey = \"k\"\n\
        timeouts = { total = \"1m\" }\n\
        [[models]]\nname = \"m\"\nto = [{ provider = \"quick\" }, { provider = \"slow\" }]\n";
    let (_, text) = check(&File::new("slow", slow), &[]);
    assert!(text.contains("  batch: 10 attempts of up to 3000s"), "{text}");
}

#[test]
fn each_model_is_asked() {
    let provider = Provider::script("ok")
        .unwrap()
        .for_model("theirs", "model not found".parse::<battlement_sim::Script>().unwrap());
    let server = Server::in_own_thread(&provider).unwrap();
    let (status, text) = check(&File::new("live", &(file(server.url()) + PASSED)), &["--live"]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("\n  m at main: 200 OK, complete\n"), "{text}");
    assert!(text.contains("\n  mine at main: 404 Not Found"), "{text}");
    assert!(
        text.contains("\n  passed at client: not asked, as the key is that of each client\n"),
        "{text}"
    );
    assert!(text.ends_with("error: 1 did not answer as they should\n"), "{text}");
}
