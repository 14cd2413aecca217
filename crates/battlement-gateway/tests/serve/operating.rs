//! What whoever runs it relies on.

use std::{
    fs,
    io::{Read as _, Write as _},
    time::Duration,
};

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
        let url = format!("http://{}{path}", rig.address());
        let (response, body) =
            whole(send(Request::head(url).body(Full::default()).unwrap()).await).await;
        assert_eq!((response.status().as_u16(), text(&body)), (200, ""));
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
async fn a_connection_without_a_request_is_not_waited_for() {
    let rig = rig("ok").await;
    let idle = TcpStream::connect(rig.address()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), rig.gateway.drain()).await.expect("it ends");
    drop(idle);
}

#[tokio::test]
async fn whoever_has_come_already_is_answered() {
    let rig = rig("ok").await;
    // On the one thread of this test: the gateway has not seen them when it is told to end.
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let mut socket = std::net::TcpStream::connect(rig.address()).unwrap();
        socket.write_all(request).unwrap();
        sockets.push(socket);
    }
    rig.gateway.drain().await;
    for mut socket in sockets {
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
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

    let without_key = text.replace("key = \"", "key_file = \"/nowhere/");
    for bad in ["listen = 3", "", text.split("[[models]]").next().unwrap(), &without_key] {
        fs::write(&file.0, bad).unwrap();
        sleep(10 * look).await;
        assert_eq!(ask("new").await, 200, "the one before it stays: {bad}");
    }
    let open = provider.counts();
    assert_eq!(open.open(), 1, "what was on its way is not disturbed");
    drop(on_its_way);
}

#[tokio::test]
async fn a_new_file_whose_key_is_not_there_yet_holds_when_it_is() {
    let server = Provider::script("ok").unwrap().listen().await.unwrap();
    let text = file(server.url());
    let (file, key) = (File::new("late", &text), File::new("late-key", ""));
    fs::remove_file(&key.0).unwrap();
    let look = Duration::from_millis(5);
    let gateway = Running::start_looking(
        config::read(&file.0).unwrap(),
        anywhere().await.unwrap(),
        Some(&file.0),
        look,
    )
    .await
    .unwrap();
    let url = format!("http://{}{CHAT}", gateway.address());
    let ask = async || {
        let body = ASK.replace("\"m\"", "\"new\"");
        send(Request::post(&url).body(Full::from(body)).unwrap()).await.status().as_u16()
    };
    let new = text.replace("name = \"m\"", "name = \"new\"");
    let path = format!("key_file = \"{}\"", key.0.display());
    fs::write(&file.0, new.replace("key = \"sk-of-the-gateway\"", &path)).unwrap();
    sleep(10 * look).await;
    assert_eq!(ask().await, 404);
    fs::write(&key.0, "sk-late").unwrap();
    for _ in 0..500 {
        if ask().await == 200 {
            return;
        }
        sleep(look).await;
    }
    panic!("the key is not looked for");
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
