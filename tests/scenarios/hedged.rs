//! One call is much later than the others were, and a second attempt is sent beside it.

use battlement::{
    call::CallLayer,
    finish::FinishLayer,
    hedge::{Config, HedgeLayer},
    retry::RetryLayer,
};
use battlement_sim::Script;
use http::Uri;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};

use crate::{
    rig::{SAID, budget, ends, millis, provider, quick},
    words::Spoken,
};

/// So many calls are as quick as they always are, and then this happens.
const USUAL: usize = 60;

/// What becomes of the call behind the usual ones: what the caller gets of it, how its requests ended, and how long it took.
async fn last_of(script: &str, spoken: Spoken, stream: bool) -> (String, String, u64) {
    let script = format!("{USUAL}x head after 100ms; {script}");
    let provider = provider(script.parse::<Script>().unwrap());
    let budget = budget(4.0);
    let config = Config { earliest: millis(200), ..Config::default() };
    let service = ServiceBuilder::new()
        .layer(CallLayer::new().provider(spoken.provider()))
        .layer(RetryLayer::new().budget(budget.clone()).seed(7))
        .layer(HedgeLayer::new(config).unwrap().budget(budget))
        .layer(quick())
        .layer(FinishLayer::new())
        .service(provider.clone());
    let mut told = String::new();
    let mut took = 0;
    for _ in 0..=USUAL {
        let mut request = spoken.request(stream);
        let path = request.uri().path_and_query().unwrap().clone();
        *request.uri_mut() = format!("http://provider.test{path}").parse::<Uri>().unwrap();
        let start = Instant::now();
        let response = service.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes());
        took = start.elapsed().as_millis() as u64;
        told = match body {
            Ok(body) => match spoken.read(&body) {
                (text, true) if text.starts_with(SAID) => "all of it".to_owned(),
                read => format!("status {status}, {read:?}"),
            },
            Err(error) => battlement::Error::from(error).to_string(),
        };
    }
    let ends = ends(&provider);
    (told, ends.split(", ").skip(USUAL).collect::<Vec<_>>().join(", "), took)
}

#[tokio::test(start_paused = true)]
async fn the_second_is_there_first() {
    for spoken in Spoken::ALL {
        for stream in [true, false] {
            let (told, ends, took) = last_of("never; ok", spoken, stream).await;
            assert_eq!(
                (&*told, &*ends),
                ("all of it", "left at head, finished"),
                "{spoken:?} {stream}"
            );
            assert!(took == 200, "{spoken:?} {stream}: {took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_is_later_still() {
    for spoken in Spoken::ALL {
        for stream in [true, false] {
            let (told, ends, took) = last_of("head after 300ms; never", spoken, stream).await;
            let expected = ("all of it", "finished, left at head", 300);
            assert_eq!((&*told, &*ends, took), expected, "{spoken:?} {stream}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_that_fails_leaves_the_first_alone() {
    for spoken in Spoken::ALL {
        for stream in [true, false] {
            let (told, ends, took) = last_of("head after 300ms; 503", spoken, stream).await;
            let expected = ("all of it", "finished, left after 0", 300);
            assert_eq!((&*told, &*ends, took), expected, "{spoken:?} {stream}");
        }
    }
}

/// The first has said a word, and then nothing: it is too late for another one.
#[tokio::test(start_paused = true)]
async fn what_has_begun_is_not_hedged() {
    let slow = format!("saying {:?} every 40ms", [SAID; 8].join(" "));
    // An answer of Gemini is over before it could be late.
    for spoken in [Spoken::OpenAi, Spoken::Responses, Spoken::Anthropic] {
        let (told, ends, took) = last_of(&slow, spoken, true).await;
        assert_eq!((&*told, &*ends), ("all of it", "finished"), "{spoken:?}");
        assert!(took > 200, "{spoken:?}: {took}");
    }
}
