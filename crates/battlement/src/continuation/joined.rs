//! Answers that are no streams.

use std::future::poll_fn;

use battlement_core::{FinishClass, continuation::Whole};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use std::task::Poll;
use tower_service::Service;

use super::{Cause, again::Again, body::Spliced, told::Entry};
use crate::{
    error::BoxError,
    hold::Held,
    observe::{self},
};

/// Waits for all of an answer, and makes one of it and of what comes in further rounds.
pub(super) async fn join<S, B, R>(
    mut again: Again<S>,
    response: Response<observe::Body<R, Entry>>,
) -> Response<Spliced<R>>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: From<Bytes>,
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let most = again.settings.most_text.saturating_mul(2).saturating_add(64 * 1024);
    let attempt = response.body().attempt().clone();
    let (parts, mut held) = response.map(Held::new).into_parts();
    let body = read(&mut held, most).await;
    let dialect = attempt.call().facts().dialect;
    let whole = body.as_deref().zip(dialect).and_then(|(body, dialect)| Whole::read(dialect, body));
    let Some(mut whole) = whole.filter(|whole| whole.finish() == FinishClass::Length) else {
        return Response::from_parts(parts, Spliced::plain(held));
    };
    again.note(&attempt, whole.text());
    // The connection is free for the next round.
    held.release();
    let mut is_changed = false;
    while whole.finish() == FinishClass::Length && whole.text().len() <= again.settings.most_text {
        let Some(begun) = again.next::<B, R>(Cause::Length, whole.text()).await else { break };
        let attempt = begun.response.body().attempt().clone();
        let mut round = Held::new(begun.response.into_body());
        let Some(body) = read(&mut round, most).await else { break };
        drop(round);
        let known = whole.text().len();
        match begun.overlap {
            Some(overlap) => {
                if whole.join(&body, overlap).is_err() {
                    break;
                }
            }
            None => whole.replace(&body),
        }
        is_changed = true;
        again.continued.add();
        again.note(&attempt, whole.text().get(known..).unwrap_or_default());
    }
    if !is_changed {
        return Response::from_parts(parts, Spliced::plain(held));
    }
    let body = Bytes::from(whole.into_body());
    let mut response = Response::from_parts(parts, Spliced::joined(body.clone()));
    if response.headers().contains_key(CONTENT_LENGTH) {
        response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    response
}

/// All of a body; `None` if it is too long, or broke off.
async fn read<R>(held: &mut Held<observe::Body<R, Entry>>, most: usize) -> Option<Vec<u8>>
where
    R: http_body::Body<Data = Bytes> + Unpin,
    R::Error: Into<BoxError>,
{
    let mut is_whole = false;
    poll_fn(|cx| {
        while held.bytes() <= most {
            match held.poll_more(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => {
                    is_whole = !held.is_broken();
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    })
    .await;
    is_whole.then(|| held.data().flat_map(|data| data.iter().copied()).collect())
}
