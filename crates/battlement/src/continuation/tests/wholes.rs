//! Answers that are no streams.

use super::*;

fn answer(id: &str, text: &str, reason: &str, usage: [u64; 3]) -> String {
    let [input, output, total] = usage;
    format!(
        r#"{{"id":"{id}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"{reason}"}}],"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#
    )
}

fn says(id: &str, text: &str, reason: &str) -> Answer {
    Answer::new(200, &answer(id, text, reason, [10, 4, 14]))
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_at_its_limit_goes_on() {
    let first = says("a", "Once ", "length").header("content-length", "189");
    let case = Case::new([first, says("b", "upon", "stop")]);
    let came = case.call(asked(&body(r#","max_tokens":4"#))).await;
    let expected = answer("a", "Once upon", "stop", [20, 8, 28]);
    assert_eq!(came.text(), expected);
    let head = came.head.as_ref().unwrap();
    assert_eq!(head.headers()["content-length"], expected.len().to_string());
    assert_eq!(came.rounds(), 1);
    let verdict = came.attempt().verdict().unwrap();
    assert_eq!(verdict.usage.unwrap().output, Some(8));
    came.tells(&["ended length", "continued 1 prefill length", "ended complete"]);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_goes_on_the_limit_is_raised() {
    let case = Case::new([says("a", "Once ", "length"), says("b", "There was", "stop")]);
    let came = case.call(asked_openai(&body(r#","max_tokens":4"#))).await;
    assert_eq!(came.text(), answer("b", "There was", "stop", [20, 8, 28]));
    assert_eq!(case.bodies()[1], body(r#","max_tokens":16"#));
    came.tells(&["ended length", "continued 1 raise length", "ended complete"]);

    // And again, as long as it may be.
    let case = Case::new([says("a", "Once", "length"), says("b", "Once upon", "length")]);
    let came = case.call(asked_openai(&body(r#","max_tokens":4"#))).await;
    assert_eq!(came.text(), answer("b", "Once upon", "length", [30, 12, 42]));
    assert!(case.bodies()[2].contains(r#""max_tokens":64"#));
    assert_eq!(came.told.last().unwrap(), "gave up attempts");

    let case = Case::new([says("a", "Once", "length")]);
    let came = case.call(asked_openai(&body(""))).await;
    assert_eq!(came.text(), answer("a", "Once", "length", [10, 4, 14]));
    assert_eq!(case.bodies().len(), 1, "there is no limit to raise");
}

#[tokio::test(start_paused = true)]
async fn others_stay_as_they_are() {
    let error = Answer::error(429, "rate_limit_exceeded");
    let long = says("a", &"x".repeat(1000), "length");
    let html = Answer::new(200, "<html>");
    for answer in
        [error, long, html, says("a", "Once", "stop"), says("a", "Once", "content_filter")]
    {
        let case = Case::new([answer.clone()]).with(|layer| layer.most_text(100));
        let came = case.call(asked(&body(r#","max_tokens":4"#))).await;
        let bare = Provider::new([answer]).oneshot(asked(&body(""))).await.unwrap();
        assert_eq!(came.text(), text(bare).await.unwrap());
        assert_eq!(case.bodies().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_cannot_be_joined_leaves_the_answer_as_it_was() {
    let tools = Answer::new(
        200,
        r#"{"choices":[{"index":0,"message":{"tool_calls":[{}]},"finish_reason":"tool_calls"}]}"#,
    );
    for second in [tools, Answer::new(200, "<html>"), Answer::error(500, "no"), Answer::failing()] {
        let case = Case::new([says("a", "Once", "length"), second]);
        let came = case.call(asked(&body(""))).await;
        assert_eq!(came.text(), answer("a", "Once", "length", [10, 4, 14]));
        assert_eq!(came.rounds(), 0);
        assert_eq!(case.provider.alive(), 0);
    }
}
