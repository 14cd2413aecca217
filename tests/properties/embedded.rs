//! Base64 inside frames that is not as it should be. How it is split must not matter.

use battlement_core::Dialect;

use crate::{
    found::read,
    fuzz::framing::{Framing, base64, frame},
};

const STOP: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","text":"x"}}"#;

#[track_caller]
fn check(bytes: &str) {
    let payload = format!("{{\"bytes\":\"{bytes}\"}}");
    let frame = frame(&[(":event-type", "chunk")], payload.as_bytes());
    let whole = read(Dialect::BedrockInvoke, Framing::EventStream, &frame, frame.len());
    for longest in 1..8 {
        let split = read(Dialect::BedrockInvoke, Framing::EventStream, &frame, longest);
        assert_eq!(split, whole, "in slices of {longest}");
    }
}

#[test]
fn an_event() {
    check(&base64(STOP.as_bytes()));
}

#[test]
fn base64_inside_base64() {
    let inner = format!("{{\"bytes\":\"{}\"}}", base64(STOP.as_bytes()));
    check(&base64(inner.as_bytes()));
}

#[test]
fn a_wrong_character() {
    check(&format!("{}!!!!", base64(format!("{STOP}  ").as_bytes())));
}

#[test]
fn padding_in_the_middle() {
    let (start, end) = STOP.split_at(19);
    check(&format!("{}{}", base64(start.as_bytes()), base64(end.as_bytes())));
}
