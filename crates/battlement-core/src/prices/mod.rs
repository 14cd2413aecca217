//! What tokens cost, as far as that is known.
//!
//! Prices change, and providers tell them on pages for people. So there is one small table, in a file with the date
//! on which it was gone through and the page that each block is from; whoever knows better brings a file of
//! their own ([`Prices::parse`]). Of a model that is not in it nothing is guessed: its tokens are counted, and
//! their price is not.
//!
//! All of it is in whole billionths of a dollar, so that a sum of a million calls is the sum of their prices.
//!
//! ```
//! use battlement_core::{Provider, Usage, prices::Prices};
//!
//! let mut usage = Usage::default();
//! (usage.input, usage.cached_input, usage.output) = (Some(1_000), Some(400), Some(20));
//!
//! let cost = Prices::builtin().cost(Provider::OpenAi, "gpt-5-mini-2025-08-07", &usage).unwrap();
//! assert_eq!(cost.nanodollars(), 600 * 250 + 400 * 25 + 20 * 2_000);
//! assert_eq!(cost.to_string(), "$0.0002");
//! assert_eq!(Prices::builtin().cost(Provider::OpenAi, "gpt-of-tomorrow", &usage), None);
//!
//! let own = Prices::parse("dated 2027-01-01\nopenai gpt-of-tomorrow input=1 output=2.50")?;
//! assert!(own.cost(Provider::OpenAi, "gpt-of-tomorrow", &usage).is_some());
//! # Ok::<(), battlement_core::prices::InvalidPrices>(())
//! ```

#[cfg(test)]
mod tests;

use std::{fmt, ops::AddAssign, sync::LazyLock};

use crate::{Provider, Usage, models::is_of};

/// What the tokens of one model cost, each in billionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Of the prompt.
    pub input: u64,
    /// Of the prompt, read from the provider's cache.
    pub cached_input: u64,
    /// Of the prompt, written to the provider's cache.
    pub cache_write: u64,
    /// Of the answer, reasoning included.
    pub output: u64,
}

impl Price {
    /// What an answer costs. What its provider did not tell counts as nothing, so it is a lower bound then.
    pub fn cost(&self, usage: &Usage) -> Cost {
        let told = |count: Option<u64>| count.unwrap_or(0);
        let cached = told(usage.cached_input);
        let written = told(usage.cache_write);
        let fresh = told(usage.input).saturating_sub(cached).saturating_sub(written);
        let parts = [
            (fresh, self.input),
            (cached, self.cached_input),
            (written, self.cache_write),
            (told(usage.output), self.output),
        ];
        let nanodollars = parts
            .iter()
            .fold(0_u64, |sum, (tokens, price)| sum.saturating_add(tokens.saturating_mul(*price)));
        Cost(nanodollars)
    }
}

/// Money: whole billionths of a dollar. Shown in dollars, cut to a hundredth of a cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

impl Cost {
    /// In billionths of a dollar.
    pub const fn nanodollars(self) -> u64 {
        self.0
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, more: Self) {
        self.0 = self.0.saturating_add(more.0);
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:04}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 100_000)
    }
}

/// A table of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    dated: Box<str>,
    rows: Vec<(Provider, Box<str>, Price)>,
}

/// A line of a table of prices makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct InvalidPrices {
    /// Which, from one.
    pub line: usize,
    why: &'static str,
}

static BUILTIN: LazyLock<Prices> =
    LazyLock::new(|| Prices::parse(include_str!("table.txt")).expect("a test reads it"));

impl Prices {
    /// The table that comes along.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads a table: a line `dated` with a date, and one for each model, such as `openai gpt-5-mini input=0.25
    /// cached=0.025 output=2`, in dollars for a million tokens. Of `cached` and `write` what is left out costs
    /// what other input does. What follows a `#` is a comment.
    ///
    /// # Errors
    ///
    /// When a line makes no sense, or two are about the same model.
    pub fn parse(text: &str) -> Result<Self, InvalidPrices> {
        let mut prices = Self { dated: "".into(), rows: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            prices.take(line).map_err(|why| InvalidPrices { line: index + 1, why })?;
        }
        Ok(prices)
    }

    /// When the table was gone through, as it says itself.
    pub fn dated(&self) -> &str {
        &self.dated
    }

    /// What the tokens of a model cost at this provider; `None` if that is not known.
    pub fn price(&self, provider: Provider, model: &str) -> Option<&Price> {
        let model = model.strip_prefix("models/").unwrap_or(model);
        let of_model =
            |row: &&(Provider, Box<str>, Price)| row.0 == provider && is_of(model, &row.1);
        let row = self.rows.iter().filter(of_model).max_by_key(|(_, name, _)| name.len())?;
        Some(&row.2)
    }

    /// What an answer cost; `None` if the price is not known, or nothing was told of its tokens.
    pub fn cost(&self, provider: Provider, model: &str, usage: &Usage) -> Option<Cost> {
        let is_told = usage.input.is_some() || usage.output.is_some();
        Some(self.price(provider, model)?.cost(usage)).filter(|_| is_told)
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { return Ok(()) };
        let second = words.next().ok_or("a model or a date is missing")?;
        if first == "dated" {
            self.dated = second.into();
            return Ok(());
        }
        let provider: Provider = first.parse().map_err(|_| "no provider has this name")?;
        if self.rows.iter().any(|(known, name, _)| *known == provider && **name == *second) {
            return Err("this model was there before");
        }
        let (mut input, mut cached, mut write, mut output) = (None, None, None, None);
        for word in words {
            let (name, value) = word.split_once('=').ok_or("not of the form name=dollars")?;
            let place = match name {
                "input" => &mut input,
                "cached" => &mut cached,
                "write" => &mut write,
                "output" => &mut output,
                _ => return Err("only input, cached, write and output have prices"),
            };
            if place.replace(nanodollars(value).ok_or(NOT_DOLLARS)?).is_some() {
                return Err("a price is there twice");
            }
        }
        let (input, output) = input.zip(output).ok_or("input and output are needed")?;
        let (cached_input, cache_write) = (cached.unwrap_or(input), write.unwrap_or(input));
        let price = Price { input, cached_input, cache_write, output };
        self.rows.push((provider, second.into(), price));
        Ok(())
    }
}

const NOT_DOLLARS: &str = "a price is dollars with at most three digits behind the point";

/// Dollars for a million tokens are millionths of a dollar for one.
fn nanodollars(dollars: &str) -> Option<u64> {
    let (whole, rest) = dollars.split_once('.').unwrap_or((dollars, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || whole.len() > 6
        || rest.len() > 3
        || !is_number(whole)
        || !is_number(rest)
    {
        return None;
    }
    let thousandths: u64 = format!("{rest:0<3}").parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 1_000 + thousandths)
}
