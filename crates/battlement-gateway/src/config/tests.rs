use super::*;

const PROVIDERS: &str = "[providers.openai]\nkind = \"openai\"\nkey_env = \"K\"\n\n[providers.claude]\nkind = \"anthropic\"\npass_key = true\n";

/// What is said about a file with this in it.
fn check(text: &str, expected: &str) {
    let found = match parse(text) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn what_is_misspelt_is_told_with_its_line() {
    check("", "fine");
    check("\nlissten = \"127.0.0.1:1\"", "line 2: unknown field `lissten`; did you mean `listen`?");
    check(
        "[providers.a]\nkind = \"openai\"\n[providers.a.limits]\nrequest_per_minute = 3",
        "line 4: unknown field `request_per_minute`; did you mean `requests_per_minute`?",
    );
    check(
        "[providers.a]\nkind = \"opnai\"",
        "line 2: unknown kind `opnai`; did you mean `openai`?",
    );
    check(
        "log = \"yaml\"",
        "line 1: unknown variant `yaml`, expected one of `text`, `json`, `off`",
    );
    check("[[models]]\nname = \"m\"", "line 1: missing field `to`");
    check("listen = \"here\"", "line 1: invalid socket address syntax");
    check("[server]\nbody_time = 30", "line 2: invalid type: integer `30`, expected a string");
    check(
        "[server]\nbody_time = \"30\"",
        "line 2: not a time such as \"30s\", \"250ms\" or \"10m\"",
    );
    check("[server]\nmax_body = \"1GB\"", "line 2: not a size such as \"64KiB\" or \"32MiB\"");
    check(
        "[providers.a]\nkind = \"openai\"\n[providers.a.limits]\nconcurrency = 0",
        "line 4: invalid value: integer `0`, expected a nonzero u32",
    );
    check("a = [", "line 1: unclosed array, expected `]`");
}

#[test]
fn names_that_lead_nowhere_are_told() {
    let model = |line: &str| format!("{PROVIDERS}\n[[models]]\n{line}\n");
    check(&model("name = \"m\"\nto = [{ provider = \"openai\" }]"), "fine");
    check(
        &model("name = \"m\"\nto = [{ provider = \"openia\" }]"),
        "line 11: there is no provider `openia`; did you mean `openai`?",
    );
    check(&model("name = \"m\"\nto = []"), "line 11: `m` leads nowhere");
    check(
        &model("name = \"a*b\"\nto = [{ provider = \"openai\" }]"),
        "line 10: `a*b` is no name of a model; a `*` may stand at its end only",
    );
    let twice = model(
        "name = \"m\"\nto = [{ provider = \"openai\" }]\n[[models]]\nname = \"m\"\nto = [{ provider = \"openai\" }]",
    );
    check(&twice, "line 13: there are two models `m`");
}

fn both_message(line: usize) -> String {
    format!(
        "line {line}: `a` and `b` both pass on the key of the client (`pass_key`): one would get the key for the other"
    )
}

#[test]
fn what_contradicts_itself_is_told() {
    let provider = |lines: &str| format!("[providers.a]\n{lines}\n");
    check(
        &provider("kind = \"openai\"\nkey = \"k\"\nkey_env = \"K\""),
        "provider `a`: has more than one of `key_env`, `key_file`, `key` and `keys`",
    );
    check(
        &provider("kind = \"openai\"\nkey = \"k\"\npass_key = true"),
        "provider `a`: has a key, and passes on that of the client",
    );
    check(
        &provider("kind = \"generic\""),
        "provider `a`: needs a `base_url`, since `generic` has no usual one",
    );
    let digest = "0f".repeat(32);
    let client = format!("[[clients]]\nname = \"c\"\nkey_sha256 = \"{digest}\"\n");
    check(
        &(provider("kind = \"openai\"\npass_key = true") + &client),
        "provider `a`: cannot pass on the key of a client, as that is for this gateway: there are `clients`",
    );
    let both = |kind: &str, more: &str| {
        format!(
            "[providers.a]\nkind = \"openai\"\npass_key = true\n\
             [providers.b]\nkind = \"{kind}\"\npass_key = true\n{more}\
             [[models]]\nname = \"m\"\nto = [\n{{ provider = \"a\" }},\n{{ provider = \"b\" }}]\n"
        )
    };
    check(&both("groq", ""), &both_message(11));
    check(&both("openai", ""), "fine");
    check(&both("anthropic", ""), "fine");
    check(&both("anthropic", "speaks = [\"openai\"]\n"), &both_message(12));
    check(&format!("{client}{client}"), "line 5: there are two clients `c`");
}

fn warnings(text: &str) -> Vec<String> {
    parse(text).unwrap().warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_hardly_meant_is_told() {
    let check = |text: &str, expected: &[&str]| {
        let found = warnings(text);
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    };
    check(PROVIDERS, &[]);
    check("[providers.a]\nkind = \"openai\"", &["no key is sent"]);
    check("[providers.a]\nkind = \"ollama\"", &[]);
    check(
        "[providers.a]\nkind = \"openai\"\nkey = \"sk-0123456789abcdef\"",
        &["in the configuration itself"],
    );
    check(
        "[providers.a]\nkind = \"openai\"\nkey = \"YOUR_API_KEY\"",
        &["in the configuration itself", "is a placeholder"],
    );
    check("listen = \"0.0.0.0:80\"", &["there are no `clients`"]);
    check(
        "[providers.a]\nkind = \"openai\"\nbase_url = \"http://far.example\"\nkey_env = \"K\"",
        &["goes out unencrypted"],
    );
    let other = format!(
        "{PROVIDERS}\n[[models]]\nname = \"m\"\nto = [{{ provider = \"openai\" }}, {{ provider = \"claude\" }}]\n"
    );
    check(&other, &["`claude` never stands in for `openai`"]);
}

#[test]
fn a_version_in_the_address_is_that_of_the_paths() {
    let check = |url: &str, expected: &str| {
        let text = format!("[providers.a]\nkind = \"openai\"\nbase_url = \"{url}\"\n");
        assert_eq!(parse(&text).unwrap().providers["a"].base(), Some(expected));
    };
    check("https://api.openai.com/v1", "https://api.openai.com");
    check("https://api.openai.com/v1/", "https://api.openai.com");
    check("https://g.example/v1beta", "https://g.example");
    check("https://api.groq.com/openai", "https://api.groq.com/openai");
}

#[test]
fn keys_are_shown_nowhere() {
    let config = parse("[providers.a]\nkind = \"openai\"\nkey = \"sk-secret\"").unwrap();
    let secrets = config.providers["a"].secrets().unwrap();
    assert_eq!(format!("{secrets:?}"), "[Secret]");
    assert!(!format!("{config:?}").contains("sk-secret"));
    let unset =
        parse("[providers.a]\nkind = \"openai\"\nkey_env = \"BATTLEMENT_NOT_SET\"").unwrap();
    let error = unset.providers["a"].secrets().unwrap_err();
    assert_eq!(error, "the environment variable BATTLEMENT_NOT_SET is not set");
}

fn page(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateway/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

#[test]
fn the_example_can_be_served() {
    let config = parse(&page("battlement.toml")).unwrap();
    assert_eq!(config.warnings(), []);
    assert_eq!(config.models.len(), 3);
}

/// The names of all settings, which an unknown one is answered with.
#[test]
fn every_setting_is_on_the_page() {
    let page = page("configuration.md");
    let kind = "[providers.a]\nkind = \"openai\"\n";
    let tables = [
        ("", 7),
        ("[server]\n", 5),
        ("[classes]\n", 3),
        ("[classes.batch]\n", 3),
        (kind, 11),
        (&format!("{kind}[providers.a.retries]\n"), 2),
        (&format!("{kind}[providers.a.limits]\n"), 3),
        (&format!("{kind}[providers.a.timeouts]\n"), 4),
        ("[[models]]\n", 2),
        ("[[models]]\nname = \"m\"\n[[models.to]]\nprovider = \"a\"\n", 4),
        ("[[clients]]\n", 3),
    ];
    for (table, settings) in tables {
        let error = toml::from_str::<Config>(&format!("{table}zzz = 1")).unwrap_err();
        let names: Vec<_> = error.message().split('`').skip(3).step_by(2).collect();
        assert!(names.len() >= settings, "{table}: {names:?}");
        for name in names {
            let is_table =
                page.contains(&format!("[{name}]")) || page.contains(&format!("[{name}."));
            let is_there = page.contains(&format!("`{name}`"))
                || is_table
                || page.contains(&format!(".{name}]"));
            assert!(is_there, "{table}: `{name}` is not on the page");
        }
    }
    for kind in battlement_core::Provider::ALL.map(battlement_core::Provider::as_str) {
        if parse(&format!("[providers.a]\nkind = \"{kind}\"\nbase_url = \"http://a\"")).is_ok() {
            assert!(page.contains(&format!("`{kind}`")), "{kind} is not on the page");
        }
    }
}
