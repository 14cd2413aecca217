//! The floor: a reverse proxy of hyper's server and client, which forwards each frame and does nothing else.

use std::{convert::Infallible, io::Write as _};

use http::{Request, Response, Uri, uri::Authority};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;

/// Forwards to this address until it is killed, and says first where it is itself.
pub(super) async fn serve(to: &str) {
    let to: Authority = to.parse().expect("an address");
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    std::io::stdout().flush().expect("told");
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        socket.set_nodelay(true).expect("an option that there is");
        let (client, to) = (client.clone(), to.clone());
        let forward = service_fn(move |request| forward(client.clone(), to.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), forward));
    }
}

async fn forward(
    client: Client<HttpConnector, Incoming>,
    to: Authority,
    mut request: Request<Incoming>,
) -> Result<Response<BoxBody<bytes::Bytes, hyper::Error>>, Infallible> {
    let path = request.uri().path_and_query().cloned();
    let uri = Uri::builder().scheme("http").authority(to);
    let uri = uri.path_and_query(path.map_or("/".into(), |path| path.to_string())).build();
    *request.uri_mut() = uri.expect("parts that are valid");
    request.headers_mut().remove(http::header::HOST);
    Ok(match client.request(request).await {
        Ok(response) => response.map(BodyExt::boxed),
        Err(_) => {
            let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            response
        }
    })
}
