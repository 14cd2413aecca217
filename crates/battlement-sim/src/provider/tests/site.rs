//! Answers that are made at a site.

use std::sync::Mutex;

use super::*;

/// Room for two answers, of which each takes three seconds and has its first word after one; the second breaks.
struct Two(Mutex<u32>, Arc<Mutex<Vec<(u64, u64)>>>);

struct OneOfTwo(Vec<Progress>, Pin<Box<Sleep>>);

impl Site for Two {
    fn ask(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Place>, Refusal> {
        let mut asked = self.0.lock().unwrap();
        *asked += 1;
        self.1.lock().unwrap().push((wanted.input_tokens, wanted.output_tokens));
        let after = Some(Duration::from_secs(7));
        match *asked {
            1 => Ok(Box::new(OneOfTwo(vec![Progress::Done, Progress::First], wait()))),
            2 => Ok(Box::new(OneOfTwo(vec![Progress::Broken, Progress::First], wait()))),
            _ => Err(Refusal { fault: crate::answer::Fault::Overloaded, after }),
        }
    }
}

impl Place for OneOfTwo {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        ready!(self.1.as_mut().poll(cx));
        self.1 = Box::pin(sleep(Duration::from_secs(2)));
        Poll::Ready(self.0.pop().unwrap())
    }
}

fn wait() -> Pin<Box<Sleep>> {
    Box::pin(sleep(Duration::from_secs(1)))
}

#[tokio::test(start_paused = true)]
async fn a_site_says_when_and_whether() {
    let check = async |words: &str, stream: bool, expected: [&str; 3]| {
        let asked = Arc::default();
        let site = Two(Mutex::default(), Arc::clone(&asked));
        let provider = Provider::script(words).unwrap().at(site).tokens(5);
        let start = Instant::now();
        let mut told = Vec::new();
        // What the script lets fail takes no place.
        for _ in 0..4 {
            let at = || start.elapsed().as_secs();
            let head = provider.clone().oneshot(request(stream)).await;
            let head_at = at();
            told.push(match head {
                Err(lost) => format!("{:?} @{head_at}", lost.why()),
                Ok(response) => {
                    let status = response.status().as_u16();
                    let end = response.into_body().collect().await.is_ok();
                    format!("{status} @{head_at} {end} @{}", at())
                }
            });
        }
        assert_eq!(told.remove(1).split(' ').next(), Some("500"));
        assert_eq!(told, expected);
        assert_eq!(
            *asked.lock().unwrap(),
            [(provider.record()[0].facts.as_ref().unwrap().input_tokens, 5); 3]
        );
        assert_eq!(provider.counts().limited, 1);
    };
    check("ok; 500; ok", true, ["200 @1 true @3", "200 @4 false @6", "503 @6 true @6"]).await;
    check("ok; 500; ok", false, ["200 @3 true @3", "Closed @6", "503 @6 true @6"]).await;
    // Whatever takes longer: the script, or the site.
    let slow = "head after 2s; 500; head after 2s";
    check(slow, true, ["200 @2 true @3", "200 @5 false @6", "503 @6 true @6"]).await;
    let slower = "head after 5s; 500; head after 5s; ok";
    check(slower, true, ["200 @5 true @5", "200 @10 false @10", "503 @10 true @10"]).await;
    check(slower, false, ["200 @5 true @5", "Closed @10", "503 @10 true @10"]).await;
}
