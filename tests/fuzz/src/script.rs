//! Scripts of the simulated provider: any text is a script or an error that points into it, and a script
//! in words is read as what it was.

use battlement_sim::Script;

/// Reads the text as a script.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match text.parse::<Script>() {
        Ok(script) => {
            let words = script.to_string();
            let again: Script = words.parse().expect("what is printed can be read");
            assert_eq!(again.to_string(), words);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
