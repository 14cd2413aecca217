//! Rounds that end otherwise than well.

use super::*;

fn begin(dialect: Dialect, is_cut: bool) -> (Splicer, Vec<u8>) {
    let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
    let round = match is_cut {
        true => begun(dialect, "a", &["Once ", "upon "]),
        false => stream(dialect, "a", &["Once ", "upon "], true),
    };
    let out = feed(&mut splicer, round.as_bytes(), &[]);
    (splicer, out)
}

#[test]
fn a_cut_is_finished_by_another_round() {
    for dialect in DIALECTS {
        let (mut splicer, mut out) = begin(dialect, true);
        assert_eq!(splicer.standing(), Standing::Cut);
        splicer.go_on(Overlap::All);
        let again = stream(dialect, "b", &["On", "ce upon a ti", "me"], false);
        out.extend(feed(&mut splicer, again.as_bytes(), &[]));
        out.extend(ended(splicer.close()));
        assert_eq!(text_of(dialect, &out), "Once upon a time");
        assert_eq!(verdict(dialect, &out).outcome, Outcome::Finished(FinishClass::Complete));
    }
}

#[test]
fn what_was_begun_again_and_differs_is_an_error() {
    for dialect in DIALECTS {
        let (mut splicer, _) = begin(dialect, true);
        splicer.go_on(Overlap::All);
        let again = begun(dialect, "b", &["Once ", "there was"]);
        assert_eq!(feed(&mut splicer, again.as_bytes(), &[]), b"");
        let diverged = Diverged { at: 5, delivered: 10 };
        assert_eq!(splicer.diverged(), Some(diverged));
        assert!(!splicer.can_go_on());
        assert_eq!(splicer.close(), Close::Diverged(diverged));
        // So is one that is over too soon.
        let (mut splicer, _) = begin(dialect, true);
        splicer.go_on(Overlap::All);
        feed(&mut splicer, stream(dialect, "b", &["Once "], false).as_bytes(), &[]);
        assert_eq!(splicer.close(), Close::Diverged(diverged));
    }
}

#[test]
fn a_round_that_brings_nothing_leaves_the_end_as_it_was() {
    for dialect in DIALECTS {
        let (mut splicer, mut out) = begin(dialect, false);
        splicer.go_on(Overlap::Blanks);
        feed(&mut splicer, b": ping\n\nda", &[]);
        out.extend(ended(splicer.close()));
        assert_eq!(out, stream(dialect, "a", &["Once ", "upon "], true).as_bytes());
        // Of a cut there is none.
        let (mut splicer, _) = begin(dialect, true);
        splicer.go_on(Overlap::Blanks);
        assert_eq!(splicer.close(), Close::Open(Vec::new()));
    }
}

#[test]
fn a_round_that_breaks_leaves_the_limit_as_the_end() {
    for dialect in DIALECTS {
        let (mut splicer, mut out) = begin(dialect, false);
        splicer.go_on(Overlap::Blanks);
        let more = begun(dialect, "b", &["a ", "time"]);
        out.extend(feed(&mut splicer, more.as_bytes(), &[]));
        assert_eq!(splicer.standing(), Standing::Cut);
        out.extend(ended(splicer.close()));
        assert_eq!(text_of(dialect, &out), "Once upon a time");
        assert_eq!(verdict(dialect, &out).outcome, Outcome::Finished(FinishClass::Length));
    }
}

#[test]
fn blanks_that_are_said_again_are_left_out() {
    #[track_caller]
    fn check(overlap: Overlap, known: &str, round: &[&str], expected: &str) {
        let dialect = Dialect::OpenAiChat;
        let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
        feed(&mut splicer, begun(dialect, "a", &[known]).as_bytes(), &[]);
        splicer.go_on(overlap);
        feed(&mut splicer, stream(dialect, "b", round, false).as_bytes(), &[]);
        assert_eq!(splicer.text(), expected);
    }
    check(Overlap::Blanks, "a\n\n", &["\n", "\nb"], "a\n\nb");
    check(Overlap::Blanks, "a\n\n", &["\n- b"], "a\n\n- b");
    check(Overlap::Blanks, "a ", &["b"], "a b");
    check(Overlap::Blanks, "a", &[" b"], "a b");
    check(Overlap::Echo, "say hi ", &["say", " hi", " there"], "say hi there");
    check(Overlap::Echo, "say hi ", &["sa", "fely"], "say hi safely");
    check(Overlap::Echo, "say hi ", &["say"], "say hi say");
    check(Overlap::Echo, "say hi", &["!"], "say hi!");
    check(Overlap::All, "say ", &["say hi"], "say hi");
}

#[test]
fn text_that_comes_with_the_end_goes_on_before_the_rest() {
    let dialect = Dialect::Gemini;
    let last = |id: &str, text: &str, reason: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\"role\":\"model\"}},\"finishReason\":\"{reason}\"}}],\"usageMetadata\":{{\"promptTokenCount\":3,\"candidatesTokenCount\":2}},\"responseId\":\"{id}\"}}\n\n"
        )
    };
    let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
    assert_eq!(feed(&mut splicer, last("a", "Once", "MAX_TOKENS").as_bytes(), &[]), b"");
    splicer.go_on(Overlap::Blanks);
    let mut out = feed(&mut splicer, last("b", " upon", "STOP").as_bytes(), &[]);
    out.extend(ended(splicer.close()));
    assert_eq!(text_of(dialect, &out), "Once upon");
    assert_eq!(told(&verdict(dialect, &out)), usage(6, 4));
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.starts_with("data: ") && shown.contains("\"finishReason\":null"), "{shown}");
    assert!(!shown.contains("\"b\""), "{shown}");
}

#[test]
fn an_error_in_the_stream_is_its_end() {
    let dialect = Dialect::AnthropicMessages;
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n";
    let mut splicer = Splicer::new(dialect, 1 << 20).unwrap();
    let begun = begun(dialect, "a", &["Once"]);
    assert_eq!(feed(&mut splicer, (begun.clone() + error).as_bytes(), &[]), begun.as_bytes());
    assert_eq!(splicer.standing(), Standing::Failed);
    assert!(splicer.can_go_on());
    assert_eq!(splicer.close(), Close::Ended(error.into()));
}

#[test]
fn a_line_feed_that_is_late_changes_nothing_of_an_end() {
    let close = |lengths: &[usize]| {
        let (mut splicer, _) = begin(Dialect::OpenAiChat, false);
        splicer.go_on(Overlap::Blanks);
        let round = stream(Dialect::OpenAiChat, "b", &["a"], false).replace('\n', "\r\n");
        feed(&mut splicer, round.as_bytes(), lengths);
        splicer.close()
    };
    assert_eq!(close(&[]), close(&[1]));
}

#[test]
fn what_differs_behind_a_limit_leaves_the_limit_as_the_end() {
    for dialect in DIALECTS {
        for more in [&[][..], &["a "]] {
            let (mut splicer, mut out) = begin(dialect, false);
            splicer.go_on(Overlap::Blanks);
            out.extend(feed(&mut splicer, begun(dialect, "b", more).as_bytes(), &[]));
            splicer.go_on(Overlap::All);
            let again = stream(dialect, "c", &["Once ", "there was"], false);
            out.extend(feed(&mut splicer, again.as_bytes(), &[]));
            assert!(splicer.diverged().is_some());
            out.extend(ended(splicer.close()));
            assert_eq!(text_of(dialect, &out), ["Once upon ", &more.concat()].concat());
            assert_eq!(verdict(dialect, &out).outcome, Outcome::Finished(FinishClass::Length));
        }
    }
}

#[test]
fn a_part_that_cannot_be_spliced_is_the_end_of_its_round() {
    let chunk = |choice: &str| format!("data: {{\"id\":\"b\",\"choices\":[{choice}]}}\n\n");
    let dialect = Dialect::OpenAiChat;
    let check = |choice: &str, text: &str, class| {
        let (mut splicer, mut out) = begin(dialect, false);
        splicer.go_on(Overlap::Blanks);
        let round = begun(dialect, "b", &["a "]) + &chunk(choice);
        let round = round + &begun(dialect, "b", &["time"]) + &end(dialect, "b", &[], false);
        out.extend(feed(&mut splicer, round.as_bytes(), &[]));
        out.extend(ended(splicer.close()));
        assert_eq!(text_of(dialect, &out), text, "{choice}");
        assert_eq!(verdict(dialect, &out).outcome, Outcome::Finished(class), "{choice}");
    };
    for part in [
        r#"{"index":0,"delta":{"content":"x","reasoning_content":"hm"}}"#,
        r#"{"index":0,"delta":{"refusal":"no"}}"#,
        r#"{"index":0,"delta":{"tool_calls":[{}]},"finish_reason":"tool_calls"}"#,
    ] {
        check(part, "Once upon a ", FinishClass::Length);
    }
    // Thoughts alone are none of the answer.
    let thought = r#"{"index":0,"delta":{"reasoning_content":"hm"}}"#;
    check(thought, "Once upon a time", FinishClass::Complete);
}
