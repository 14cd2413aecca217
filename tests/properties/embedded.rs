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

/// Also in a frame whose checksum is wrong, where the output that passed still counts as delivered.
#[test]
fn a_wrong_character_anywhere() {
    let event = r#"{"generation":"Paris","stop_reason":null}"#;
    let good = base64(event.as_bytes());
    for at in 0..good.len() {
        for wrong in ["'", "=", "\\", "%%"] {
            let mut bytes = good.clone();
            bytes.replace_range(at..=at, wrong);
            let payload = format!("{{\"bytes\":\"{bytes}\"}}");
            let mut frame = frame(&[(":event-type", "chunk")], payload.as_bytes());
            if let Some(last) = frame.last_mut() {
                *last ^= 1;
            }
            let whole = read(Dialect::BedrockInvoke, Framing::EventStream, &frame, frame.len());
            for longest in [1, 3, 17] {
                let split = read(Dialect::BedrockInvoke, Framing::EventStream, &frame, longest);
                assert_eq!(split, whole, "{wrong} at {at} in slices of {longest}");
            }
        }
    }
}
