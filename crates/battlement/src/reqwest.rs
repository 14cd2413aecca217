//! A stack over `reqwest`, and under code that speaks it.
//!
//! [`Transport`] is a `reqwest::Client` as the service that our layers go on. [`Adapter`] turns the whole
//! stack into a service of `reqwest::Request`, for code that has such requests already. Bodies in memory
//! stay in memory on the way, timeouts and URLs are kept.
//!
//! `reqwest` repeats some requests by itself (those that a server refused on the protocol's level) and
//! follows redirects; give its client `.retry(reqwest::retry::never())` to leave the counting of attempts
//! to the stack, and no `.timeout(..)`, which covers a streamed body too.
//!
//! ```
//! use battlement::{
//!     observe::ObserveLayer,
//!     reqwest::{Adapter, Transport},
//! };
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # async fn call() -> Result<(), battlement::BoxError> {
//! let client = reqwest::Client::builder().retry(reqwest::retry::never()).build()?;
//! let service = ServiceBuilder::new()
//!     .layer_fn(Adapter::new)
//!     .layer(ObserveLayer::new())
//!     .service(Transport::new(client.clone()));
//!
//! let request = client
//!     .post("https://api.openai.com/v1/chat/completions")
//!     .body(r#"{"model": "gpt-5-mini", "messages": []}"#)
//!     .build()?;
//! let response: reqwest::Response = service.oneshot(request).await?;
//! # let _ = response;
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::reqwest::{Body, Client, Request, Response, ResponseBuilderExt, Url};
use bytes::Bytes;
use http::Extensions;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::error::BoxError;

/// A `reqwest::Client` as the service under the layers.
///
/// Its errors do not name the URL, as those of `reqwest` do otherwise: some providers take the key in it.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    client: Client,
}

impl Transport {
    /// Over this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Service<http::Request<Body>> for Transport {
    type Response = http::Response<Body>;
    type Error = ::reqwest::Error;
    type Future = TransportFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request>::poll_ready(&mut self.client, cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        TransportFuture {
            pending: Request::try_from(request)
                .map(|request| self.client.call(request))
                .map_err(Some),
        }
    }
}

pin_project! {
    /// The future of [`Transport`].
    #[must_use = "futures do nothing unless polled"]
    pub struct TransportFuture {
        pending: Result<<Client as Service<Request>>::Future, Option<::reqwest::Error>>,
    }
}

impl Future for TransportFuture {
    type Output = Result<http::Response<Body>, ::reqwest::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().pending {
            Ok(pending) => {
                // Its text would have the address in it, and with some providers the key is in that.
                let response = ready!(Pin::new(pending).poll(cx));
                let response = response.map_err(::reqwest::Error::without_url)?;
                let url = response.url().clone();
                let mut response = http::Response::from(response);
                response.extensions_mut().extend(with_url(url));
                Poll::Ready(Ok(response))
            }
            Err(error) => {
                let error = error.take().expect("polled after it was over");
                Poll::Ready(Err(error.without_url()))
            }
        }
    }
}

impl fmt::Debug for TransportFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportFuture").finish_non_exhaustive()
    }
}

/// The extensions in which `reqwest` looks for the URL of a response; the type of its own is private.
fn with_url(url: Url) -> Extensions {
    let response = http::Response::builder().url(url).body(());
    response.map(|response| response.into_parts().0.extensions).unwrap_or_default()
}

/// A stack as a service of `reqwest`'s own requests and responses.
#[derive(Clone, Copy, Debug)]
pub struct Adapter<S> {
    inner: S,
}

impl<S> Adapter<S> {
    /// Over this stack.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, R> Service<Request> for Adapter<S>
where
    S: Service<http::Request<Body>, Response = http::Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = BoxError;
    type Future = AdapterFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match http::Request::try_from(request) {
            Ok(request) => AdapterFuture { future: Some(self.inner.call(request)), error: None },
            Err(error) => AdapterFuture { future: None, error: Some(error.into()) },
        }
    }
}

pin_project! {
    /// The future of [`Adapter`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AdapterFuture<F> {
        #[pin]
        future: Option<F>,
        error: Option<BoxError>,
    }
}

impl<F, E, R> Future for AdapterFuture<F>
where
    F: Future<Output = Result<http::Response<R>, E>>,
    E: Into<BoxError>,
    R: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Ready(Err(this.error.take().expect("polled after it was over")));
        };
        let response = ready!(future.poll(cx)).map_err(Into::into)?;
        Poll::Ready(Ok(Response::from(response.map(Body::wrap))))
    }
}

impl<F> fmt::Debug for AdapterFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdapterFuture").finish_non_exhaustive()
    }
}
