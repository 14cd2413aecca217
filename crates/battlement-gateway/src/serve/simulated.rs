//! Without a file: in front of a provider that is simulated in the same process, for a first look without key or network.

use std::{io::Write as _, net::SocketAddr};

use battlement_sim::{Provider, Script, serve::Server};

use crate::{
    CannotWrite,
    config::{self, Config},
};

/// What the models do, by their names. All of it is of interest through a gateway only, or without one.
const MODELS: [(&str, &str, &str); 5] = [
    ("sim", "every 15ms", "answers well"),
    ("sim-flaky", "503; every 15ms; cycle", "fails every other time, which nobody sees"),
    ("sim-busy", "429 after 1s; every 15ms; cycle", "asks for a second's wait first, and gets it"),
    (
        "sim-cut",
        "every 15ms cut after 5 events",
        "breaks off in the middle, which is an error and no end",
    ),
    ("sim-down", "503", "is down, and the call goes to `sim`"),
];

/// The provider, and what the gateway is told about it.
pub(super) async fn start(listen: Option<SocketAddr>) -> anyhow::Result<(Server, Config)> {
    // Nobody looks at the record.
    let mut provider = Provider::new().keep(0);
    for (name, script, _) in MODELS {
        provider = provider.for_model(name, script.parse::<Script>()?);
    }
    let server = provider.listen().await?;
    let mut config = config::parse(&text(server.url()))?;
    if let Some(listen) = listen {
        config.listen = listen;
    }
    Ok((server, config))
}

fn text(url: &str) -> String {
    let mut text = String::new();
    for name in ["simulator", "spare"] {
        text.push_str(&format!(
            "[providers.{name}]\nkind = \"generic\"\nbase_url = \"{url}\"\nspeaks = [\"openai\", \"anthropic\", \"gemini\", \"ollama\"]\nretries = {{ share = 1.0, reserve = 100.0 }}\n\n"
        ));
    }
    for (name, ..) in MODELS {
        let spare =
            if name == "sim-down" { ", { provider = \"spare\", model = \"sim\" }" } else { "" };
        text.push_str(&format!(
            "[[models]]\nname = \"{name}\"\nto = [{{ provider = \"simulator\" }}{spare}]\n\n"
        ));
    }
    // Whatever else a client asks for, as programs have a model's name in them.
    text.push_str("[[models]]\nname = \"*\"\nto = [{ provider = \"simulator\" }]\n");
    text
}

/// Says what there is to try.
pub(super) fn greet(address: SocketAddr, taken: Option<SocketAddr>) -> Result<(), CannotWrite> {
    let mut out = anstream::stdout().lock();
    out.write_all(greeting(address, taken).as_bytes())?;
    out.flush()?;
    Ok(())
}

fn greeting(address: SocketAddr, taken: Option<SocketAddr>) -> String {
    let mut text =
        format!("The gateway listens on http://{address}, in front of a simulated provider.\n");
    if let Some(taken) = taken {
        text.push_str(&format!(
            "(Somebody else listens on {taken}, so it is the next port that was free.)\n"
        ));
    }
    text.push_str(&format!(
        r#"
A chat, and the same as a stream:

  curl -s http://{address}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model": "sim", "messages": [{{"role": "user", "content": "Hi"}}]}}'

  curl -sN http://{address}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model": "sim", "stream": true, "messages": [{{"role": "user", "content": "Hi"}}]}}'

Anthropic's API:

  curl -s http://{address}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \
    -d '{{"model": "sim", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hi"}}]}}'

Python:

  from openai import OpenAI
  client = OpenAI(base_url="http://{address}/v1", api_key="none")
  messages = [{{"role": "user", "content": "Hi"}}]
  print(client.chat.completions.create(model="sim-flaky", messages=messages).choices[0].message.content)

Models that misbehave on purpose; add -i to curl and look at the headers x-battlement-*:

"#
    ));
    for (name, _, what) in MODELS {
        text.push_str(&format!("  {name:<10} {what}\n"));
    }
    text.push_str("\nWith providers of your own: battlement serve --config battlement.toml\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_told_can_be_told() {
        let config = config::parse(&text("http://127.0.0.1:1")).unwrap();
        assert_eq!(config.models.len(), MODELS.len() + 1);
        assert_eq!(config.warnings(), []);
        for (_, script, _) in MODELS {
            script.parse::<Script>().unwrap();
        }
    }

    #[test]
    fn who_is_in_the_way_is_told() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8081));
        let text = greeting(address, Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert!(text.contains("listens on 127.0.0.1:8080"), "{text}");
    }
}
