//! `battlement check`: whether a file can be served, and what it comes to.

use std::{future::poll_fn, io::Write as _, path::Path, time::Duration};

use anyhow::Context as _;
use battlement::{BoxError, Error, call::Attempt, stack::WorstCase};
use bytes::Bytes;
use http::{Request, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use tokio::{runtime, time::timeout};
use tower_service::Service as _;

use crate::{
    CannotWrite,
    cli::Check,
    config::{self, Config, Family, Kind},
    gateway::{self, Gateway, Service},
};

/// Tokens of a request, input and output together, that costs are told for.
const TOKENS: u64 = 8_000;

/// How long a live request may take.
const LIVE: Duration = Duration::from_secs(60);

/// Reads the file, and says what there is to say.
pub(crate) fn run(arguments: &Check) -> anyhow::Result<()> {
    let path: &Path = &arguments.config;
    let config = config::read(path).with_context(|| format!("{}", path.display()))?;
    // Connections belong to a runtime, even those that are never made.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let warnings = config.warnings();
        let gateway = Gateway::new(config, gateway::client(), None);
        let gateway = gateway.with_context(|| format!("{}", path.display()))?;
        let mut text = format!("{} can be served.\n", path.display());
        for warning in &warnings {
            text.push_str(&format!("warning: {warning}\n"));
        }
        text.push_str(&routes(&gateway));
        write(&text)?;
        if arguments.live { live(&gateway).await } else { Ok(()) }
    })
}

fn write(text: &str) -> Result<(), CannotWrite> {
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Where each model leads, and what a call to it comes to at worst.
fn routes(gateway: &Gateway) -> String {
    let mut text = String::new();
    for model in &gateway.config().models {
        text.push_str(&format!("\n{}\n", model.name.as_ref()));
        for target in model.to.as_ref() {
            let provider = target.provider.as_ref();
            let name = target.model.as_deref().map(|model| format!(", as {model}"));
            text.push_str(&format!("  to {provider}{}\n", name.unwrap_or_default()));
        }
        // Attempts and time are of the call, over however many routes it goes: at worst over the slowest.
        let stacks = model.to.as_ref().iter().map(|target| target.provider.as_ref());
        let cases = stacks.filter_map(|name| Some(gateway.stack(name)?.worst_case(TOKENS)));
        for worst in cases.reduce(worse).into_iter().flatten() {
            text.push_str(&format!("  {worst}\n"));
        }
    }
    if !gateway.config().models.is_empty() {
        text.push_str(&format!(
            "\nWorst cases are of requests with {TOKENS} tokens, all routes together.\n"
        ));
    }
    text
}

/// The worse of two, in each class.
fn worse(one: [WorstCase; 3], other: [WorstCase; 3]) -> [WorstCase; 3] {
    // Without a limit is longest.
    let length = |worst: &WorstCase| (worst.attempt.is_none(), worst.attempt);
    let mut others = other.into_iter();
    one.map(|one| match others.next() {
        Some(other) if length(&other) > length(&one) => other,
        _ => one,
    })
}

/// Sends each model, at each place where it is, the smallest request that there is.
async fn live(gateway: &Gateway) -> anyhow::Result<()> {
    let mut failed = 0;
    write("\nLive:\n")?;
    for model in &gateway.config().models {
        let public = model.name.as_ref();
        for target in model.to.as_ref() {
            let provider = target.provider.as_ref();
            let asked = target.model.as_deref().unwrap_or(public);
            if asked.ends_with('*') {
                write(&format!("  {public} at {provider}: not asked, as it is no name\n"))?;
                continue;
            }
            if gateway.config().providers.get(provider).is_some_and(|provider| provider.pass_key) {
                write(&format!(
                    "  {public} at {provider}: not asked, as the key is that of each client\n"
                ))?;
                continue;
            }
            let Some((family, service)) = gateway.alone(public, target)? else { continue };
            let kind = kind(gateway.config(), provider);
            let asked = ask(service, family, kind, asked).await;
            failed += u32::from(asked.is_err());
            let (Ok(words) | Err(words)) = asked;
            write(&format!("  {public} at {provider}: {words}\n"))?;
        }
    }
    match failed {
        0 => Ok(()),
        _ => anyhow::bail!("{failed} did not answer as they should"),
    }
}

fn kind(config: &Config, provider: &str) -> Option<Kind> {
    config.providers.get(provider).map(|provider| provider.kind)
}

async fn ask(
    mut service: Service,
    family: Family,
    kind: Option<Kind>,
    model: &str,
) -> Result<String, String> {
    let request = smallest(family, kind, model).map_err(|error| error.to_string())?;
    let answer = async {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        let response = service.call(request).await?;
        let (status, attempt) =
            (response.status(), response.extensions().get::<Attempt>().cloned());
        response.into_body().collect().await?;
        Ok::<_, BoxError>((status, attempt))
    };
    match timeout(LIVE, answer).await {
        Err(_) => Err(format!("no answer within {LIVE:?}")),
        Ok(Err(error)) => Err(Error::from(error).to_string()),
        Ok(Ok((status, attempt))) => {
            let verdict = attempt.as_ref().and_then(Attempt::verdict);
            let outcome = verdict.map_or("unread", |verdict| verdict.outcome.as_str());
            let code = verdict.and_then(|verdict| verdict.code()).map(|code| format!(", {code}"));
            let words = format!("{status}, {outcome}{}", code.unwrap_or_default());
            // Cut short by the cap is an answer.
            if status.is_success() { Ok(words) } else { Err(words) }
        }
    }
}

fn smallest(
    family: Family,
    kind: Option<Kind>,
    model: &str,
) -> Result<Request<Full<Bytes>>, BoxError> {
    let name = serde_json::to_string(model)?;
    // Models of theirs that reason take no other word.
    let cap = if matches!(kind.map(Kind::as_str), Some("openai" | "azure_openai")) {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    let messages = r#""messages":[{"role":"user","content":"Hi"}]"#;
    let (path, body) = match family {
        Family::Openai => {
            ("/v1/chat/completions".to_owned(), format!(r#"{{"model":{name},{messages},"{cap}":16}}"#))
        }
        Family::Anthropic => ("/v1/messages".to_owned(), format!(r#"{{"model":{name},{messages},"max_tokens":16}}"#)),
        Family::Gemini => (
            format!("/v1beta/models/{model}:generateContent"),
            r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":16}}"#.to_owned(),
        ),
        Family::Ollama => (
            "/api/chat".to_owned(),
            format!(r#"{{"model":{name},{messages},"stream":false,"options":{{"num_predict":16}}}}"#),
        ),
    };
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .header("anthropic-version", "2023-06-01");
    Ok(request.body(Full::from(body))?)
}
