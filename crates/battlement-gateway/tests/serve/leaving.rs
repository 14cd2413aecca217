//! A client that leaves takes its call with it.

use std::time::Duration;

use battlement_sim::provider::{End, Stage};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout};

use crate::rig::{CHAT, Rig, STREAM, client, rig};

/// The call is asked for, and left when the provider has it.
async fn leave_early(rig: &Rig, http2: bool) {
    let client = if http2 {
        let mut builder =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
        builder.http2_only(true).build_http()
    } else {
        client()
    };
    let call = client.request(rig.to(CHAT).body(Full::from(STREAM)).unwrap());
    let call = tokio::spawn(call);
    rig.provider.arrived(1).await;
    call.abort();
    let _ = call.await;
}

async fn check_ended(rig: &Rig, end: End) {
    timeout(Duration::from_secs(10), rig.provider.ended(1)).await.expect("the provider notices");
    assert_eq!(rig.provider.record()[0].end, Some(end));
}

#[tokio::test]
async fn while_there_is_no_answer() {
    for http2 in [false, true] {
        let rig = rig("never").await;
        leave_early(&rig, http2).await;
        check_ended(&rig, End::Cancelled(Stage::Head)).await;
    }
}

#[tokio::test]
async fn while_the_first_word_is_waited_for() {
    let rig = rig("first token after 60s").await;
    leave_early(&rig, false).await;
    timeout(Duration::from_secs(10), rig.provider.ended(1)).await.expect("the provider notices");
    assert!(matches!(rig.provider.record()[0].end, Some(End::Cancelled(_))));
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let rig = rig("stall after 3 events").await;
    let client = client();
    let response = client.request(rig.to(CHAT).body(Full::from(STREAM)).unwrap()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop((body, client));
    check_ended(&rig, End::Cancelled(Stage::Body)).await;
}

#[tokio::test]
async fn while_it_waits_to_be_tried_again() {
    // Whoever stays is tried again, after so long.
    let stays = rig("429 after 40ms; ok").await;
    let start = Instant::now();
    stays.post(CHAT, STREAM).await;
    assert_eq!(stays.provider.counts().arrived, 2);
    let time = start.elapsed();

    let rig = rig("429 after 40ms; ok").await;
    let call = client().request(rig.to(CHAT).body(Full::from(STREAM)).unwrap());
    // The first attempt has failed by then, and the second is not due.
    let _ = timeout(Duration::from_millis(20), call).await.unwrap_err();
    assert_eq!(rig.provider.counts().arrived, 1);
    tokio::time::sleep(2 * time).await;
    assert_eq!(rig.provider.counts().arrived, 1, "nobody waits for a second attempt");
}
