//! Some of the same over reqwest.

use battlement::{
    Error,
    call::Attempt,
    reqwest::{Adapter, Transport},
};
use battlement_sim::Script;
use http_body_util::BodyExt;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::{
    rig::{self, Notes, SAID},
    words::Spoken,
};

fn client() -> reqwest::Client {
    reqwest::Client::builder().retry(reqwest::retry::never()).build().unwrap()
}

/// A streamed call over reqwest: what was said, the code of the error, and how the calls ended.
async fn check(words: &str, said: &str, code: Option<&str>, attempts: &str, ends: &str) {
    let spoken = Spoken::OpenAi;
    let provider = rig::provider(words.parse::<Script>().unwrap());
    let server = provider.listen().await.unwrap();
    let notes = Notes::default();
    let stack = rig::stack(spoken).call(notes.layer(spoken)).timeout(rig::quick());
    let stack = stack.base(server.url()).unwrap();
    let service = stack.layer(Transport::new(client()));
    let (parts, body) = spoken.request(true).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let request = http::Request::from_parts(parts, reqwest::Body::from(body));
    let (mut text, mut error) = (Vec::new(), None);
    match service.oneshot(request).await {
        Ok(response) => {
            let attempt = response.extensions().get::<Attempt>().unwrap().clone();
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => text.extend(frame.into_data().unwrap_or_default()),
                    Err(broken) => error = Some(Error::from(broken)),
                }
            }
            error = error.or_else(|| Error::of(&attempt));
        }
        Err(failed) => error = Some(failed),
    }
    let calls = provider.counts().arrived;
    provider.ended(calls).await;
    assert_eq!(spoken.read(&text).0, said, "{words}");
    assert_eq!(error.map(|error| error.code().as_str()), code, "{words}");
    assert_eq!((&*notes.told(), &*rig::ends(&provider)), (attempts, ends), "{words}");
}

#[tokio::test]
async fn scenarios() {
    let told = "rate_limit_requests, complete";
    check("429 after 120ms; ok", SAID, None, told, "finished, finished").await;
    check("500; ok", SAID, None, "server_error, complete", "finished, finished").await;
    check("reset; ok", SAID, None, "disconnected, complete", "broken after 0, finished").await;
    check("never; ok", SAID, None, "overdue, complete", "left at head, finished").await;
    let (half, cut) = ("The castle sta", Some("llm.stream.cut"));
    check("cut after 3 events; ok", half, cut, "stream_cut", "broken after 3").await;
    check("bad chunk after 3 events; ok", half, cut, "stream_cut", "broken after 3").await;
    check("end after 3 events; ok", half, cut, "stream_cut", "finished").await;
    let silent = Some("llm.timeout.idle");
    check("stall after 3 events; ok", half, silent, "overdue", "left after 3").await;
    check("truncate; ok", SAID, Some("llm.truncated"), "length", "finished").await;
}

#[tokio::test]
async fn code_that_speaks_reqwest_sees_it_the_same_way() {
    let provider = rig::provider("503; ok".parse::<Script>().unwrap());
    let server = provider.listen().await.unwrap();
    let client = client();
    let service = ServiceBuilder::new()
        .layer_fn(Adapter::new)
        .service(rig::stack(Spoken::OpenAi).layer(Transport::new(client.clone())));
    let request = client
        .post(format!("{}/v1/chat/completions", server.url()))
        .body(r#"{"model":"gpt-5-mini","messages":[]}"#)
        .build()
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let answer = response.bytes().await.unwrap();
    assert_eq!(Spoken::OpenAi.read(&answer), (SAID.to_owned(), true));
    assert_eq!(provider.counts().arrived, 2);
}
