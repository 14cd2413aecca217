//! What whoever runs it relies on.

use std::{fs, time::Duration};

use battlement_gateway::{
    config,
    serve::{Running, anywhere},
};
use battlement_sim::Provider;
use http::Request;
use http_body_util::Full;
use tokio::{net::TcpStream, time::sleep};

use crate::rig::{ASK, CHAT, File, STREAM, client, file, rig, rig_with, send, text, whole};

#[tokio::test]
async fn it_says_that_it_is_there() {
    let rig = rig("ok").await;
    for path in ["/healthz", "/readyz"] {
        let url = format!("http://{}{path}", rig.address());
        let (response, body) =
            whole(send(Request::get(url).body(Full::default()).unwrap()).await).await;
        assert_eq!((response.status().as_u16(), text(&body)), (200, "ok\n"));
    }
}

#[tokio::test]
async fn answers_on_their_way_end_before_it_does() {
    let rig = rig("every 5ms ok").await;
    let client = client();
    let response = client.request(rig.to(CHAT).body(Full::from(STREAM)).unwrap()).await.unwrap();
    let address = rig.address();
    let drained = tokio::spawn(rig.gateway.drain());
    let (_, body) = whole(response).await;
    assert!(text(&body).ends_with("data: [DONE]\n\n"));
    drained.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn what_does_not_end_is_given_up() {
    let rig = rig_with("stall after 3 events", "[server]\ndrain_time = \"20ms\"\n").await;
    let client = client();
    let _response = client.request(rig.to(CHAT).body(Full::from(STREAM)).unwrap()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), rig.gateway.drain()).await.expect("it ends");
}

#[tokio::test]
async fn a_new_file_holds_for_new_calls_and_a_bad_one_for_none() {
    let provider = Provider::script("stall after 3 events; ok").unwrap();
    let server = provider.listen().await.unwrap();
    let text = file(server.url());
    let file = File::new("reload", &text);
    let config = config::read(&file.0).unwrap();
    let look = Duration::from_millis(5);
    let gateway = Running::start_looking(config, anywhere().await.unwrap(), Some(&file.0), look)
        .await
        .unwrap();
    let url = format!("http://{}{CHAT}", gateway.address());
    let ask = async |model: &str| {
        let body = ASK.replace("\"m\"", &format!("\"{model}\""));
        send(Request::post(&url).body(Full::from(body)).unwrap()).await.status().as_u16()
    };
    let client = client();
    let on_its_way =
        client.request(Request::post(&url).body(Full::from(STREAM)).unwrap()).await.unwrap();
    assert_eq!(ask("new").await, 404);

    fs::write(&file.0, text.replace("name = \"m\"", "name = \"new\"")).unwrap();
    for _ in 0..500 {
        if ask("new").await == 200 {
            break;
        }
        sleep(look).await;
    }
    assert_eq!((ask("new").await, ask("m").await), (200, 404));

    fs::write(&file.0, "listen = 3").unwrap();
    sleep(10 * look).await;
    assert_eq!(ask("new").await, 200, "the one before it stays");
    let open = provider.counts();
    assert_eq!(open.open(), 1, "what was on its way is not disturbed");
    drop(on_its_way);
}

#[tokio::test]
async fn it_goes_on_when_whoever_has_started_it_goes_away() {
    let (address, _server) = rig("ok").await.leave();
    for _ in 0..3 {
        // On a connection of its own each time.
        let request = Request::post(format!("http://{address}{CHAT}"));
        let request = request.header("content-type", "application/json");
        assert_eq!(send(request.body(Full::from(ASK)).unwrap()).await.status(), 200);
    }
}
