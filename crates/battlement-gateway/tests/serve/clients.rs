//! Who may ask.

use http::Response;
use http_body_util::Full;

use crate::rig::{ASK, CHAT, Rig, header, rig_with, send, text, whole};

/// `printf %s letmein | sha256sum`
const CLIENTS: &str = "[[clients]]\nname = \"team\"\nrequests_per_minute = 2\n\
    key_sha256 = \"1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032\"\n\n";

async fn ask(rig: &Rig, name: &str, value: &str) -> (Response<()>, String) {
    let request = rig.to(CHAT).header(name, value).body(Full::from(ASK)).unwrap();
    let (response, body) = whole(send(request).await).await;
    (response, text(&body).to_owned())
}

#[tokio::test]
async fn only_those_of_the_file_and_not_more_often_than_it_says() {
    let rig = rig_with("ok", CLIENTS).await;
    let (response, body) = ask(&rig, "x-nothing", "").await;
    assert_eq!(response.status(), 401);
    assert!(body.contains("asks for a key"), "{body}");
    let (response, body) = ask(&rig, "authorization", "Bearer letmeout").await;
    assert_eq!(response.status(), 401);
    assert!(!body.contains("letmeout") && body.contains("does not know the key"), "{body}");

    assert_eq!(ask(&rig, "authorization", "Bearer letmein").await.0.status(), 200);
    assert_eq!(ask(&rig, "x-api-key", "letmein").await.0.status(), 200);
    let (response, body) = ask(&rig, "x-goog-api-key", "letmein").await;
    assert_eq!(response.status(), 429);
    assert_eq!(header(&response, "retry-after"), "30");
    assert!(body.contains("used up its requests"), "{body}");
    assert_eq!(rig.provider.counts().arrived, 2);
}
