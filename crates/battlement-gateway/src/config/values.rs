//! Values as people write them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A time, written as `250ms`, `30s`, `10m`, `2h` or `1d`. More than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Duration);

impl Time {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As the standard library has it.
    pub const fn get(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
        let amount: u64 = text[..unit].parse().ok().filter(|amount| *amount > 0)?;
        let milliseconds = match &text[unit..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(amount.checked_mul(milliseconds)?)))
    }
}

/// A limit of time, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After so long.
    After(Time),
    /// Never.
    Off,
}

impl Limit {
    /// As the library has it.
    pub fn get(self) -> Option<Duration> {
        match self {
            Self::After(time) => Some(time.get()),
            Self::Off => None,
        }
    }
}

/// A number of bytes, written as a number or as `64KiB`, `32MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(usize);

impl Size {
    pub(crate) const fn kibibytes(amount: usize) -> Self {
        Self(amount * 1024)
    }

    pub(crate) const fn mebibytes(amount: usize) -> Self {
        Self(amount * 1024 * 1024)
    }

    /// In bytes.
    pub const fn get(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let unit = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let amount: usize = text[..unit].parse().ok().filter(|amount| *amount > 0)?;
        let bytes = match &text[unit..] {
            "" | "B" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return None,
        };
        Some(Self(amount.checked_mul(bytes)?))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBIBYTE: usize = 1024 * 1024;
        match self.0 {
            bytes if bytes % MEBIBYTE == 0 => write!(f, "{} MiB", bytes / MEBIBYTE),
            bytes if bytes % 1024 == 0 => write!(f, "{} KiB", bytes / 1024),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// A SHA-256, which says nothing of the key that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        }
        Some(Self(digest))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom("not a time such as \"30s\", \"250ms\" or \"10m\""))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        let time = Time::parse(&text).map(Self::After);
        time.ok_or_else(|| de::Error::custom("not a time such as \"30s\" or \"10m\", nor \"off\""))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(usize),
            Text(String),
        }
        let size = match Written::deserialize(deserializer) {
            Ok(Written::Bytes(bytes)) => (bytes > 0).then_some(Self(bytes)),
            Ok(Written::Text(text)) => Self::parse(&text),
            Err(_) => None,
        };
        size.ok_or_else(|| de::Error::custom("not a size such as \"64KiB\" or \"32MiB\""))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(
                "not a SHA-256 of 64 hexadecimal digits; `printf %s KEY | sha256sum` prints it",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        let time = |text, expected: Option<u64>| {
            let found = Time::parse(text).map(|time| time.get().as_millis() as u64);
            assert_eq!(found, expected, "{text}");
        };
        time("250ms", Some(250));
        time("30s", Some(30_000));
        time("2h", Some(7_200_000));
        for wrong in [
            "",
            "30",
            "0s",
            "-1s",
            "1.5s",
            "s",
            "1 s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            time(wrong, None);
        }
        let size =
            |text, expected| assert_eq!(Size::parse(text).map(Size::get), expected, "{text}");
        size("12", Some(12));
        size("64KiB", Some(65_536));
        size("32MiB", Some(33_554_432));
        for wrong in ["", "0", "1GB", "KiB", "99999999999999999MiB"] {
            size(wrong, None);
        }
        assert_eq!(
            (Size(65_536).to_string(), Size(3).to_string()),
            ("64 KiB".into(), "3 bytes".into())
        );
    }

    #[test]
    fn a_digest_is_sixty_four_digits() {
        assert_eq!(Digest::parse(&"0f".repeat(32)), Some(Digest([15; 32])));
        for wrong in ["", "0f", &"0g".repeat(32), &"+1".repeat(32), &"é".repeat(32)] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
