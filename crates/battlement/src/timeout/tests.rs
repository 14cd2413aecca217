//! What a caller sees of the limits, to the millisecond, and what the clocks promise.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use battlement_core::{Code, FinishClass, Outcome, Phase, Signals, deadline::Deadline};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::{
    task::JoinSet,
    time::{Instant, advance, sleep},
};
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Elapsed, InvalidTimeouts, Throughput, TimeoutLayer, Timeouts,
    clocks::{Clocks, Patience},
};
use crate::{
    BoxError, Error,
    breaker::{self, BreakerLayer},
    call::{Attempt, Call, CallLayer, Options},
    clock::now,
    events::Event,
    hold::Held,
    observe::ObserveLayer,
    testing::{Answer, Piece, Provider, delta, finish_event, request, stream_request, text},
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The answer of a script: `.` a second passes, `-` ten; `o` output, `e` an event without, `p` a ping,
/// `d` the event that ends it, `F` finish, `B` it breaks, `$` it ends. It hangs after the last one. Before `|`,
/// which is the head, only time can pass.
fn answer(script: &str) -> Answer {
    let (head, body) = script.split_once('|').unwrap_or((script, ""));
    let wait = |letter| match letter {
        '.' => SECOND,
        '-' => 10 * SECOND,
        other => panic!("what is {other}?"),
    };
    let mut pieces: Vec<Piece> = body
        .chars()
        .filter(|&letter| letter != '$')
        .map(|letter| match letter {
            'o' => Piece::Bytes(delta("Hi")),
            'e' => Piece::Bytes(delta("")),
            'p' => Piece::Bytes(": ping\n\n".into()),
            'F' => Piece::Bytes(finish_event("stop")),
            'd' => Piece::Bytes("data: [DONE]\n\n".into()),
            'B' => Piece::Break,
            time => Piece::Wait(wait(time)),
        })
        .collect();
    if !body.ends_with('$') {
        pieces.push(Piece::Hang);
    }
    let head_after = if script.contains('|') { head.chars().map(wait).sum() } else { 24 * HOUR };
    Answer::streaming(pieces).head_after(head_after)
}

fn layer(limits: Timeouts) -> TimeoutLayer {
    TimeoutLayer::new(limits, limits).unwrap()
}

/// Calls, reads to the end and gives the text; of an error, the clock and the text before.
async fn read<R>(
    call: impl Future<Output = Result<Response<R>, BoxError>>,
) -> (String, Result<(), BoxError>)
where
    R: http_body::Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let mut body = match call.await {
        Ok(response) => response.into_body(),
        Err(error) => return (String::new(), Err(error)),
    };
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap(),
            Err(error) => {
                assert!(body.frame().await.is_none());
                assert!(body.is_end_stream() || !error.is::<Elapsed>());
                return (text, Err(error));
            }
        }
    }
    (text, Ok(()))
}

/// Plays a script and compares the clock that passes, and when, in seconds.
async fn check_with(limits: Timeouts, request: Request<Full<Bytes>>, script: &str, expected: &str) {
    let provider = Provider::new([answer(script)]);
    let began = Instant::now();
    let (_, result) = read(layer(limits).layer(provider.clone()).oneshot(request)).await;
    let found = match result {
        Ok(()) => "end".to_owned(),
        Err(error) => match error.downcast_ref::<Elapsed>() {
            Some(elapsed) if elapsed.is_deadline => "deadline".to_owned(),
            Some(elapsed) => elapsed.clock.as_str().to_owned(),
            None => "error".to_owned(),
        },
    };
    let after = began.elapsed();
    assert_eq!(after.subsec_millis(), 0, "{script}: {after:?}");
    assert_eq!(format!("{found} {}", after.as_secs()), expected, "{script}");
    assert_eq!(provider.alive(), 0, "{script}");
}

async fn check(script: &str, expected: &str) {
    check_with(Timeouts::streaming(), stream_request(), script, expected).await;
}

#[tokio::test(start_paused = true)]
async fn t2_silence_ends_at_its_limit() {
    // The head.
    check("", "head 60").await;
    check("-----.........|oFd$", "end 59").await;
    // What comes at the very instant has come.
    check("------|oFd$", "end 60").await;
    // The first output, counted from the beginning.
    check("|", "output 90").await;
    check("---|", "output 90").await;
    check("|e---e---e---e", "output 90").await;
    check("|p-p-p-p-p-p-p-p-p-p", "output 90").await;
    check("|--------.........oFd$", "end 89").await;
    // Silence later on; pings are silence.
    check("|o", "idle 90").await;
    check("|-------o", "idle 160").await;
    check("|o-p-p-p-p-p-p-p-p-p-p-p-p", "idle 90").await;
    check("|o--------e--------o--------Fd$", "end 240").await;
    check("|o--------e--------p---------", "idle 170").await;
    // Everything.
    let trickle = "-------e".repeat(9);
    check(&format!("|o{trickle}"), "total 600").await;
    check("|oB$", "error 0").await;
    // No limit is none.
    let never = Timeouts { total: Some(2 * HOUR), ..Timeouts::NONE };
    let mut request = stream_request();
    request.extensions_mut().insert(Options::default().deadline(Deadline::NEVER));
    check_with(never, request, "|o", "total 7200").await;
    check_with(never, stream_request(), "---------|---------o---------Fd$", "end 270").await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_measured_in_bytes() {
    let check = async |script, expected| {
        check_with(Timeouts::whole(), request(), script, expected).await;
    };
    check("", "total 600").await;
    check("---------|oF$", "end 90").await;
    check("|-----p-----e-----p-----$", "end 200").await;
    check("|-----p-----e-----p", "idle 210").await;
    check(&format!("|{}", "-----p".repeat(13)), "total 600").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_is_measured_in_bytes() {
    // Whatever it says, nobody here understands it.
    let script =
        answer(&format!("|{}$", "--------p".repeat(3))).header("content-encoding", "weird");
    let began = Instant::now();
    let service = layer(Timeouts::streaming()).layer(Provider::new([script]));
    let (_, result) = read(service.oneshot(stream_request())).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(began.elapsed(), seconds(240));
}

#[tokio::test(start_paused = true)]
async fn a_lowest_speed_is_kept_on_average() {
    let size = delta("Hi").len() as u32;
    let throughput = Throughput { bytes_per_second: size / 4, over: seconds(20) };
    let limits = Timeouts { throughput: Some(throughput), ..Timeouts::streaming() };
    let check = async |script: &str, expected| {
        check_with(limits, stream_request(), script, expected).await;
    };
    // One every four seconds and better, in bursts.
    check("|ooooo-.........ooooo-.........Fd$", "end 38").await;
    check(&format!("|{}Fd$", "o...".repeat(10)), "end 30").await;
    // One every five seconds and worse; what is saved up counts for its window only.
    check(&format!("|{}", "o......".repeat(20)), "throughput 20").await;
    check("|oooooooooo----", "throughput 40").await;
    // Pings are no output, and before the first there is no speed.
    check(&format!("|o{}", "pppp.".repeat(30)), "throughput 20").await;
    check("--|----oFd$", "end 60").await;
}

#[tokio::test(start_paused = true)]
async fn t1_a_limit_never_exceeds_the_deadline() {
    let check = async |time, script, expected| {
        let mut request = stream_request();
        request.extensions_mut().insert(Options::default().time(seconds(time)));
        check_with(Timeouts::streaming(), request, script, expected).await;
    };
    check(30, "", "deadline 30").await;
    check(30, "|o", "deadline 30").await;
    check(30, "|--o-o-o-o-o-o", "deadline 30").await;
    check(70, "", "head 60").await;
    check(70, "|", "deadline 70").await;
    check(30, "|o--Fd$", "end 20").await;
    // What the limit is worth at the same instant is told by the limit.
    check(60, "", "head 60").await;
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_nothing_is_sent() {
    let provider = Provider::new([Answer::ok()]);
    let mut request = request();
    let attempt = Attempt::of(&mut request);
    assert!(!attempt.is_over());
    request.extensions_mut().insert(Options::default().deadline(Deadline::at(now())));
    request.extensions_mut().remove::<Attempt>();
    let error = TimeoutLayer::default().layer(provider.clone()).oneshot(request).await.unwrap_err();
    assert!(error.downcast_ref::<Elapsed>().unwrap().verdict().is_none());
    let error = Error::from(error);
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(!error.is_retryable());
    assert!(provider.arrived().is_empty());
}

#[tokio::test(start_paused = true)]
async fn t3_nothing_passes_after_the_end_and_nothing_ends_well_before() {
    // Every place at which a stream can hang.
    let script = "|eooFd";
    for length in 1..=script.len() {
        let provider = Provider::new([answer(&script[..length])]);
        let began = Instant::now();
        let service = layer(Timeouts::streaming()).layer(provider.clone());
        let response = service.oneshot(stream_request()).await.unwrap();
        let attempt = response.extensions().get::<Attempt>().unwrap().clone();
        let (text, result) = read(async { Ok(response) }).await;
        let outcome = attempt.verdict().unwrap().outcome;
        assert_eq!(began.elapsed(), seconds(90), "{length}");
        assert_eq!(result.is_ok(), text.contains("[DONE]"), "{length}");
        let complete = Outcome::Finished(FinishClass::Complete);
        assert_eq!(result.is_ok(), outcome == complete, "{length}: {outcome}");
        assert_eq!(provider.alive(), 0, "{length}");
    }
    // The deadline ends it, too, and as well.
    check(&format!("|o{}Fd", "--------e".repeat(7)), "end 600").await;
}

#[tokio::test(start_paused = true)]
async fn t4_what_is_given_up_is_dropped_at_once() {
    let provider = Provider::new([answer(""), answer("|o")]);
    let service = layer(Timeouts::streaming()).layer(provider.clone());
    // The future, though it is still held.
    let mut call = pin!(service.clone().oneshot(stream_request()));
    assert!(call.as_mut().await.is_err());
    assert_eq!(provider.alive(), 0);
    // The body, though it is.
    let mut body = service.clone().oneshot(stream_request()).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(provider.alive(), 1);
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(provider.alive(), 0);
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn t4_a_dropped_call_drops_the_call_below() {
    // At every place where it waits; nobody calls that a timeout.
    for polls in 1..8 {
        let provider = Provider::new([answer(".|.e.o.F.d.$")]);
        let mut request = stream_request();
        let attempt = Attempt::of(&mut request);
        let service = layer(Timeouts::streaming()).layer(provider.clone());
        let mut call = Box::pin(read(service.oneshot(request)));
        for _ in 0..polls {
            if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
            advance(SECOND).await;
        }
        drop(call);
        assert_eq!(provider.alive(), 0, "{polls}");
        let outcome = attempt.verdict().unwrap().outcome;
        let complete = outcome == Outcome::Finished(FinishClass::Complete);
        assert!(outcome == Outcome::Abandoned || (complete && polls > 4), "{polls}: {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_pauses_finds_what_is_there() {
    let provider = Provider::new([answer("|oe--o--Fd$"), answer("|o.o-"), answer("|oe.o")]);
    let service = layer(Timeouts::streaming()).layer(provider.clone());
    let request = |time| {
        let mut request = stream_request();
        request.extensions_mut().insert(Options::default().time(time));
        request
    };

    // It pauses between two frames, and the provider has all its time afterwards.
    let mut body = service.clone().oneshot(request(2 * HOUR)).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    sleep(HOUR).await;
    assert!(text(Response::new(body)).await.unwrap().contains("[DONE]"));

    // It is called to look, and comes an hour too late.
    let mut body = service.clone().oneshot(request(2 * HOUR)).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    let mut poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    advance(HOUR).await;
    assert!(matches!(poll(), Poll::Ready(Some(Ok(_)))));
    assert!(poll().is_pending());
    advance(seconds(89)).await;
    assert!(poll().is_pending());
    advance(seconds(1)).await;
    assert!(matches!(poll(), Poll::Ready(Some(Err(_)))));

    // The deadline is its own.
    let mut body = service.oneshot(request(seconds(30))).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    advance(HOUR).await;
    assert!(body.frame().await.unwrap().is_ok(), "what is there is there");
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_error_tells_what_is_known() {
    let usage = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#;
    let script = Answer::streaming(vec![Piece::Bytes(format!("{usage}\n\n")), Piece::Hang]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let told = told.clone();
        move |_: &Call, event: &Event<'_>| match event {
            Event::Overdue { clock } => told.lock().unwrap().push(clock.as_str().to_owned()),
            Event::Ended { verdict } => told.lock().unwrap().push(verdict.outcome.to_string()),
            _ => {}
        }
    };
    let service = layer(Timeouts::streaming()).layer(Provider::new([script]));
    let service = CallLayer::new().observer(observer).layer(service);
    let (text, result) = read(service.oneshot(stream_request())).await;
    assert!(text.contains("Hi"));
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the answer fell silent for 90s");
    let error = Error::from(error);
    assert_eq!(error.code(), Code::TimeoutIdle);
    let verdict = error.verdict().unwrap();
    assert!(verdict.has_output);
    assert_eq!(verdict.failure.as_ref().unwrap().phase, Phase::During);
    let usage = verdict.usage.unwrap();
    assert_eq!((usage.input, usage.output), (Some(10), Some(2)));
    assert_eq!(*told.lock().unwrap(), ["idle", verdict.outcome.to_string().as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_outside_sees_what_ends_here() {
    for script in ["", "|", "|o"] {
        let breaker = BreakerLayer::new(breaker::Config::default()).unwrap();
        let service = layer(Timeouts::streaming()).layer(Provider::new([answer(script)]));
        let service = breaker.layer(service);
        let mut calls = JoinSet::new();
        for _ in 0..4 {
            let call = service.clone().oneshot(stream_request());
            calls.spawn(async move { call.await?.into_body().collect().await.map(|_| ()) });
        }
        assert!(calls.join_all().await.into_iter().all(|result| result.is_err()));
        let error = service.oneshot(stream_request()).await.unwrap_err();
        assert!(error.is::<breaker::Rejected>(), "{script}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_below_may_hold_the_head_back() {
    let check = async |script: &str, expected: &str| {
        let observed = ObserveLayer::new().layer(Provider::new([answer(script)]));
        // Passes the head on when there is output.
        let holding = service_fn(move |request: Request<Full<Bytes>>| {
            let attempt = request.extensions().get::<Attempt>().unwrap().clone();
            let observed = observed.clone();
            async move {
                let (parts, body) = observed.oneshot(request).await?.into_parts();
                let mut held = Held::new(body);
                while !attempt.has_output() {
                    let more = std::future::poll_fn(|cx| held.poll_more(cx)).await;
                    assert!(more);
                }
                Ok::<_, BoxError>(Response::from_parts(parts, held))
            }
        });
        let began = Instant::now();
        let service = layer(Timeouts::streaming()).layer(holding);
        let (_, result) = read(service.oneshot(stream_request())).await;
        let found = result
            .err()
            .map_or("end", |error| error.downcast_ref::<Elapsed>().unwrap().clock.as_str());
        assert_eq!(format!("{found} {}", began.elapsed().as_secs()), expected, "{script}");
    };
    check("", "head 60").await;
    check("-|", "output 90").await;
    check("-|--p-p-e----", "output 90").await;
    check("|---e---oFd$", "end 60").await;
    check("|---e---o", "idle 150").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_goes_up_and_is_no_timeout() {
    let service = layer(Timeouts::streaming()).layer(Provider::new([Answer::panicking()]));
    let mut request = stream_request();
    let attempt = Attempt::of(&mut request);
    assert!(tokio::spawn(service.oneshot(request)).await.unwrap_err().is_panic());
    assert_eq!(attempt.verdict().unwrap().outcome, Outcome::Abandoned);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_is_passed_on_as_it_is() {
    fn check<T: Send + Sync + Unpin>(_: &T) {}
    let whole = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("{}")))
    });
    let body = TimeoutLayer::default().layer(whole).oneshot(request()).await.unwrap().into_body();
    check(&body);
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
    assert!(size_of::<Elapsed>() <= 40);
}

#[test]
fn limits_that_are_none() {
    let check = |limits: Timeouts, expected: &str| {
        let ok = Timeouts::whole();
        for error in [TimeoutLayer::new(limits, ok), TimeoutLayer::new(ok, limits)] {
            let error: InvalidTimeouts = error.unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    };
    let ok = Timeouts::streaming();
    assert!(TimeoutLayer::new(ok, Timeouts::NONE).is_ok());
    let zero = Some(Duration::ZERO);
    check(Timeouts { head: zero, ..ok }, "head is shorter than 1 ms; None turns it off");
    check(Timeouts { total: zero, ..ok }, "total is shorter than 1 ms; None turns it off");
    let throughput = Some(Throughput { bytes_per_second: 0, over: SECOND });
    check(Timeouts { throughput, ..ok }, "the lowest speed is zero; None turns it off");
    let endless = Timeouts { idle: Some(Duration::MAX), total: Some(Duration::MAX), ..ok };
    assert!(TimeoutLayer::new(endless, endless).is_ok());
}

/// What happens to an attempt, as its clocks see it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The provider takes so many milliseconds, and then shows this.
    Shows(u64, u8),
    /// The caller takes so many.
    Pauses(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let signals = [Signals::EVENT, Signals::KEEP_ALIVE, Signals::OUTPUT].map(Signals::bits);
    let shows = (0..20_000_u64, prop::sample::select(signals.to_vec()));
    let step = prop_oneof![
        3 => shows.prop_map(|(time, signals)| Step::Shows(time, signals)),
        1 => (0..50_000_u64).prop_map(Step::Pauses),
    ];
    prop::collection::vec(step, 0..40)
}

fn limits() -> impl Strategy<Value = Timeouts> {
    let limit = || prop::option::of((1..60_000_u64).prop_map(Duration::from_millis));
    (limit(), limit(), limit(), limit()).prop_map(|(head, output, idle, total)| Timeouts {
        head,
        output,
        idle,
        total,
        throughput: None,
    })
}

proptest! {
    /// Against a plain account of the time that was waited.
    #[test]
    fn t1_no_wait_goes_beyond_a_limit_or_the_deadline(
        limits in limits(),
        time in prop::option::of(1..200_000_u64),
        steps in steps(),
    ) {
        let attempt = Attempt::of(&mut stream_request());
        let start = now();
        let deadline = time.map_or(Deadline::NEVER, |time| {
            Deadline::after(Duration::from_millis(time), start)
        });
        let mut clocks = Clocks::new(limits, deadline, true, start);
        let (mut at, mut total, mut idle) = (start, Duration::ZERO, Duration::ZERO);
        let mut has_output = false;
        attempt.head();
        clocks.pass(attempt.progress(), || at);
        for step in steps {
            let (time, signals) = match step {
                Step::Pauses(time) => {
                    at += Duration::from_millis(time);
                    continue;
                }
                Step::Shows(time, signals) => (Duration::from_millis(time), signals),
            };
            let mut left = Vec::new();
            left.extend(limits.total.map(|limit| limit.saturating_sub(total)));
            left.extend(limits.output.filter(|_| !has_output).map(|limit| limit.saturating_sub(total)));
            left.extend(limits.idle.filter(|_| has_output).map(|limit| limit.saturating_sub(idle)));
            left.extend(deadline.remaining(at));
            let due = left.into_iter().min();
            let found = clocks.wait(attempt.progress(), at);
            if due == Some(Duration::ZERO) {
                prop_assert!(matches!(found, Patience::Over(_)), "{found:?}");
                return Ok(());
            }
            prop_assert_eq!(found, Patience::Until(due.map(|due| at + due)));
            if due.is_some_and(|due| due <= time) {
                let over = clocks.wait(attempt.progress(), at + due.unwrap());
                prop_assert!(matches!(over, Patience::Over(_)), "{over:?}");
                return Ok(());
            }
            at += time;
            total += time;
            idle += time;
            let signals = Signals::from_bits(signals);
            attempt.saw(signals);
            if signals != Signals::KEEP_ALIVE {
                idle = Duration::ZERO;
            }
            has_output |= signals == Signals::OUTPUT;
            clocks.arrived(attempt.progress(), 100, || at);
        }
    }
}
