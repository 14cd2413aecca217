//! What goes through, byte by byte.

use std::time::{Duration, UNIX_EPOCH};

use battlement_gateway::{
    config,
    serve::{Running, anywhere},
};
use battlement_sim::Provider;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::rig::{ASK, CHAT, File, STREAM, file, header, rig, rig_with, send, text, whole};

const ODD: &str = "{ \"zeta\":1.50, \"model\" :\"m\",\n\t\"messages\":[ {\"content\":\"\\u00e9\\/\",\"role\":\"user\"} ],\"x\":{\"y\":[1e2]} }";

#[tokio::test]
async fn requests_arrive_as_they_were_written() {
    let rig = rig("ok").await;
    rig.post(CHAT, ODD).await;
    rig.post(CHAT, &ODD.replace("\"m\"", "\"mine\"")).await;
    let record = rig.provider.record();
    assert_eq!(text(record[0].body.as_ref().unwrap()), ODD);
    assert_eq!(
        text(record[1].body.as_ref().unwrap()),
        ODD.replace("\"m\"", "\"theirs\""),
        "nothing but the name"
    );
    assert_eq!(record[1].headers()["content-length"], (ODD.len() + 5).to_string());
}

/// Ollama tells microseconds, in which the two providers differ.
fn without_times(answer: &str) -> String {
    let mut pieces = answer.split("\"created_at\":\"");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('"').map_or("", |(_, rest)| rest))
}

/// What a provider answers, straight and through the gateway.
async fn check_answer(path: &str, body: &str, script: &str) {
    let provider = || {
        Provider::script(script).unwrap().clock_at(UNIX_EPOCH + Duration::from_secs(1_800_000_000))
    };
    let (straight, behind) =
        (provider().listen().await.unwrap(), provider().listen().await.unwrap());
    let config = config::parse(&file(behind.url())).unwrap();
    let gateway = Running::start(config, anywhere().await.unwrap(), None).await.unwrap();
    let ask =
        |url: String| send(Request::post(url + path).body(Full::from(body.to_owned())).unwrap());
    let (head, expected) = whole(ask(straight.url().to_owned()).await).await;
    let (through, found) = whole(ask(format!("http://{}", gateway.address())).await).await;
    assert_eq!(without_times(text(&found)), without_times(text(&expected)), "{path}");
    assert!(!found.is_empty());
    assert_eq!(through.status(), head.status(), "{path}");
    // About the connection, or about the account.
    let others = ["connection", "date", "openai-organization", "anthropic-organization-id"];
    for (name, value) in head.headers().iter().filter(|(name, _)| !others.contains(&name.as_str()))
    {
        assert_eq!(through.headers().get(name), Some(value), "{path}: {name}");
    }
}

#[tokio::test]
async fn answers_arrive_as_they_were_written() {
    for body in [ASK, STREAM] {
        check_answer(CHAT, body, "ok").await;
        check_answer("/v1/responses", body, "tool call").await;
        check_answer("/v1/completions", body, "truncate").await;
        check_answer("/v1/messages", body, "ok").await;
        check_answer("/api/chat", body, "ok").await;
    }
    check_answer("/v1/embeddings", r#"{"model": "m", "input": "Hi"}"#, "ok").await;
    let gemini = r#"{"contents": [{"parts": [{"text": "Hi"}]}]}"#;
    check_answer("/v1beta/models/m:generateContent", gemini, "ok").await;
    check_answer("/v1beta/models/m:streamGenerateContent", gemini, "ok").await;
    check_answer("/v1beta/models/m:streamGenerateContent?alt=sse", gemini, "ok").await;
    // An error is an answer, too.
    check_answer(CHAT, ASK, "invalid request").await;
}

#[tokio::test]
async fn a_model_in_the_path_is_renamed_there() {
    let rig = rig("ok").await;
    let (response, _) =
        rig.post("/v1beta/models/mine:streamGenerateContent?alt=sse&key=mine", "{}").await;
    assert_eq!(response.status(), 200);
    let uri = rig.provider.record()[0].uri().clone();
    assert_eq!(
        uri.path_and_query().unwrap(),
        "/v1beta/models/theirs:streamGenerateContent?alt=sse"
    );
}

#[tokio::test]
async fn what_is_kept_at_a_provider_can_be_asked_for() {
    let rig = rig("ok").await;
    for (method, path) in
        [("GET", "/v1/responses/resp_1?include=x"), ("DELETE", "/v1/responses/resp_1")]
    {
        let url = format!("http://{}{path}", rig.address());
        let request = Request::builder().method(method).uri(url).body(Full::default()).unwrap();
        send(request).await;
    }
    let record = rig.provider.record();
    let seen: Vec<_> =
        record.iter().map(|seen| (seen.method().as_str(), seen.uri().to_string())).collect();
    assert_eq!(seen[0].0, "GET");
    assert!(seen[0].1.ends_with("/v1/responses/resp_1?include=x"), "{seen:?}");
    assert_eq!(seen[1].0, "DELETE");
}

#[tokio::test]
async fn keys_of_clients_stay_here() {
    let rig = rig("ok").await;
    let request = rig.to(&format!("{CHAT}?key=sk-client"));
    let request =
        request.header("authorization", "Bearer sk-client").header("x-api-key", "sk-client");
    let request = request.header("x-goog-api-key", "sk-client").header("cookie", "sk-client");
    let request = request
        .header("x-battlement-tenant", "t")
        .header("connection", "x-gone")
        .header("x-gone", "1");
    send(request.body(Full::from(ASK)).unwrap()).await;
    let seen = &rig.provider.record()[0];
    assert_eq!(seen.headers()["authorization"], "Bearer sk-of-the-gateway");
    assert_eq!(seen.headers()["host"], rig.url.trim_start_matches("http://"));
    assert!(seen.headers().values().all(|value| !value.to_str().unwrap().contains("sk-client")));
    assert!(!seen.uri().to_string().contains("sk-client"));
    for gone in ["x-gone", "x-battlement-tenant", "cookie", "x-api-key"] {
        assert!(!seen.headers().contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn a_key_is_passed_on_where_the_file_says_so() {
    let rig = rig("ok").await;
    let text = file(&rig.url).replace("key = \"sk-of-the-gateway\"", "pass_key = true");
    let config = config::parse(&text).unwrap();
    let gateway = Running::start(config, anywhere().await.unwrap(), None).await.unwrap();
    let request = Request::post(format!("http://{}{CHAT}", gateway.address()));
    let request =
        request.header("authorization", "Bearer sk-client").body(Full::from(ASK)).unwrap();
    assert_eq!(send(request).await.status(), 200);
    assert_eq!(rig.provider.record()[0].headers()["authorization"], "Bearer sk-client");
}

#[tokio::test]
async fn http2_as_well() {
    let rig = rig("ok").await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let request = rig.to(CHAT).version(Version::HTTP_2).header("te", "trailers");
    let response = client.request(request.body(Full::from(STREAM)).unwrap()).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    let body = response.into_body().collect().await.unwrap();
    let verdict = body.trailers().unwrap()["x-battlement-verdict"].clone();
    assert_eq!(verdict, "complete");
    assert!(text(&body.to_bytes()).ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn frames_are_passed_on_as_they_come() {
    let rig = rig("stall after 2 events").await;
    let response = send(rig.to(CHAT).body(Full::from(STREAM)).unwrap()).await;
    let mut body = response.into_body();
    let mut seen = String::new();
    while seen.matches("\n\n").count() < 2 {
        let frame = tokio::time::timeout(Duration::from_secs(10), body.frame())
            .await
            .expect("it is not held back");
        seen.push_str(text(frame.unwrap().unwrap().data_ref().unwrap()));
    }
}

#[tokio::test]
async fn the_next_provider_answers_when_the_first_does_not() {
    let other = Provider::script("ok").unwrap();
    let server = other.listen().await.unwrap();
    let more = format!(
        "[providers.other]\nkind = \"generic\"\nbase_url = \"{}\"\n\n\
         [[models]]\nname = \"safe\"\nto = [{{ provider = \"main\" }}, {{ provider = \"other\", model = \"big\" }}]\n",
        server.url()
    );
    let rig = rig_with("503", &more).await;
    let (response, _) = rig.post(CHAT, &ASK.replace("\"m\"", "\"safe\"")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-battlement-route"), "other");
    assert_eq!(header(&response, "x-battlement-source"), "fallback:other");
    assert_eq!(other.record()[0].model(), Some("big"));
    assert!(
        !other.record()[0].headers().contains_key("authorization"),
        "a key is for one provider"
    );
}

#[tokio::test]
async fn the_next_key_is_taken_when_one_is_used_up() {
    let (one, two) = (File::new("one", "sk-one\n"), File::new("two", "sk-two\n"));
    let provider = Provider::script("429 after 20s; ok").unwrap();
    let server = provider.listen().await.unwrap();
    let keys = format!("keys = [{{ file = {:?} }}, {{ file = {:?} }}]", one.0, two.0);
    let text = file(server.url()).replace("key = \"sk-of-the-gateway\"", &keys);
    let gateway = Running::start(config::parse(&text).unwrap(), anywhere().await.unwrap(), None);
    let gateway = gateway.await.unwrap();
    let ask = async || {
        let request = Request::post(format!("http://{}{CHAT}", gateway.address()));
        send(request.body(Full::from(ASK)).unwrap()).await
    };
    let first = ask().await;
    assert_eq!((first.status().as_u16(), header(&first, "x-battlement-attempts")), (200, "2"));
    assert_eq!(header(&ask().await, "x-battlement-attempts"), "1", "the first is let cool down");
    let record = provider.record();
    let mut keys: Vec<_> =
        record.iter().map(|seen| seen.headers()["authorization"].to_str().unwrap()).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[1], keys[2]);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys, ["Bearer sk-one", "Bearer sk-two"]);
}

#[tokio::test]
async fn models_are_those_of_the_file() {
    let rig = rig("ok").await;
    let get = |path: &str| {
        let url = format!("http://{}{path}", rig.gateway.address());
        async move { whole(send(Request::get(url).body(Full::default()).unwrap()).await).await }
    };
    let ids = |body: &Bytes, list: &str, key: &str| -> Vec<String> {
        let value: serde_json::Value = serde_json::from_slice(body).unwrap();
        value[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it[key].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&get("/v1/models").await.1, "data", "id"), ["m", "mine"]);
    assert_eq!(ids(&get("/v1beta/models").await.1, "models", "name"), ["models/m", "models/mine"]);
    assert_eq!(ids(&get("/api/tags").await.1, "models", "name"), ["m", "mine"]);
    assert_eq!(get("/v1/models/m").await.0.status(), 200);
    assert_eq!(get("/v1/models/other").await.0.status(), 404);
    assert_eq!(rig.provider.counts().arrived, 0);
}
