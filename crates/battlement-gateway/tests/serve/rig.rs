//! A provider, a gateway in front of it, and a client that shows every byte.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use battlement_gateway::{
    config,
    serve::{Running, anywhere},
};
use battlement_sim::{Provider, serve::Server};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const ASK: &str = r#"{"model": "m", "messages": []}"#;
pub(crate) const STREAM: &str = r#"{"model": "m", "stream": true, "messages": []}"#;

/// Long enough for anything that happens here, and only waited for when it does not.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Rig {
    pub(crate) provider: Provider,
    pub(crate) url: String,
    pub(crate) gateway: Running,
    server: Server,
}

/// A file with one provider, a key and every model.
pub(crate) fn file(url: &str) -> String {
    format!(
        "log = \"off\"\n\
         [providers.main]\nkind = \"openai\"\nbase_url = \"{url}\"\nkey = \"sk-of-the-gateway\"\n\
         speaks = [\"openai\", \"anthropic\", \"gemini\", \"ollama\"]\n\n\
         [[models]]\nname = \"m\"\nto = [{{ provider = \"main\" }}]\n\n\
         [[models]]\nname = \"mine\"\nto = [{{ provider = \"main\", model = \"theirs\" }}]\n\n"
    )
}

/// In front of a provider that does what the script says.
pub(crate) async fn rig(script: &str) -> Rig {
    rig_with(script, "").await
}

/// The same, with more in the file.
pub(crate) async fn rig_with(script: &str, more: &str) -> Rig {
    let provider = Provider::script(script).unwrap().keep_bodies(1 << 20);
    let server = provider.listen().await.unwrap();
    let url = server.url().to_owned();
    let config = config::parse(&format!("{more}\n{}", file(&url)));
    let config = config.or_else(|_| config::parse(&format!("{}\n{more}", file(&url)))).unwrap();
    let gateway = Running::start(config, anywhere().await.unwrap(), None).await.unwrap();
    Rig { provider, url, gateway, server }
}

/// The same, with another file.
pub(crate) async fn rig_as(script: &str, change: impl FnOnce(String) -> String) -> Rig {
    let provider = Provider::script(script).unwrap().keep_bodies(1 << 20);
    let server = provider.listen().await.unwrap();
    let url = server.url().to_owned();
    let config = config::parse(&change(file(&url))).unwrap();
    let gateway = Running::start(config, anywhere().await.unwrap(), None).await.unwrap();
    Rig { provider, url, gateway, server }
}

impl Rig {
    /// Goes away, and leaves the gateway to itself, in front of this server.
    pub(crate) fn leave(self) -> (SocketAddr, Server) {
        (self.gateway.address(), self.server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    pub(crate) fn to(&self, path: &str) -> http::request::Builder {
        Request::post(format!("http://{}{path}", self.address()))
            .header("content-type", "application/json")
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> (Response<()>, Bytes) {
        whole(send(self.to(path).body(Full::from(body.to_owned())).unwrap()).await).await
    }
}

/// A client without a memory: no connection is left over.
pub(crate) fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) async fn send(request: Request<Full<Bytes>>) -> Response<Incoming> {
    timeout(PATIENCE, client().request(request)).await.expect("in time").unwrap()
}

pub(crate) async fn whole(response: Response<Incoming>) -> (Response<()>, Bytes) {
    let (parts, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.expect("in time").unwrap().to_bytes();
    (Response::from_parts(parts, ()), body)
}

/// What came before the body broke, and whether it did.
pub(crate) async fn until_broken(response: Response<Incoming>) -> (Vec<u8>, bool) {
    let (mut body, mut seen) = (response.into_body(), Vec::new());
    loop {
        match timeout(PATIENCE, body.frame()).await.expect("in time") {
            Some(Ok(frame)) => seen.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) => return (seen, true),
            None => return (seen, false),
        }
    }
}

/// Writes these bytes, and reads until the connection ends.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset behind the answer is an end, too.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("in time");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn header<'a, B>(response: &'a Response<B>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// A file of this test.
pub(crate) struct File(pub(crate) PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("battlement-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
