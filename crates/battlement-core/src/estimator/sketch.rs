//! How long answers were, in 145 bytes.
//!
//! Lengths below 8 have a bucket each, those above share eight buckets per power of two, so that
//! the end of a bucket is less than an eighth above any length in it (the layout of HdrHistogram).
//! After 255 answers every count is halved: the sketch remembers the last few hundred.

/// Buckets per power of two, and the number of bits that tell them apart.
const PARTS: usize = 8;
const PART_BITS: u32 = PARTS.ilog2();
/// Lengths from here on are not told apart: above what any model puts out.
const LONGEST: u64 = (1 << 20) - 1;
const BUCKETS: usize = bucket(LONGEST) + 1;

/// Counts of lengths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch {
    counts: [u8; BUCKETS],
    total: u8,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, length: u64) {
        if self.total == u8::MAX {
            self.halve();
        }
        // No count is above the total.
        self.counts[bucket(length)] += 1;
        self.total += 1;
    }

    /// The length that one more answer does not exceed with this chance, in thousandths; `None` if
    /// too few were seen to tell.
    ///
    /// The rank is that of `n + 1` lengths, of which the next is equally likely to have any: with that
    /// the chance holds for any distribution (split conformal prediction: Vovk, Gammerman and
    /// Shafer, *Algorithmic Learning in a Random World*, 2005).
    pub(super) fn quantile(&self, thousandths: u16) -> Option<u64> {
        let rank = (u32::from(self.total) + 1) * u32::from(thousandths);
        let rank = rank.div_ceil(1000);
        let mut seen = 0;
        for (octave, counts) in self.counts.chunks_exact(PARTS).enumerate() {
            let more: u32 = counts.iter().copied().map(u32::from).sum();
            if seen + more < rank {
                seen += more;
                continue;
            }
            for (part, count) in counts.iter().enumerate() {
                seen += u32::from(*count);
                if seen >= rank {
                    return Some(end(PARTS * octave + part));
                }
            }
        }
        None
    }

    /// Halves all counts. What is left of an odd one is handed to the next, so that many single long
    /// answers do not vanish together.
    fn halve(&mut self) {
        let (mut rest, mut total) = (0, 0);
        for count in &mut self.counts {
            let sum = u16::from(*count) + rest;
            (*count, rest) = ((sum / 2) as u8, sum % 2);
            total += *count;
        }
        self.total = total;
    }
}

const fn bucket(length: u64) -> usize {
    let length = if length > LONGEST { LONGEST } else { length };
    if length < PARTS as u64 {
        return length as usize;
    }
    let shift = length.ilog2() - PART_BITS;
    // The leading bit and those after it: from PARTS to 2 · PARTS - 1.
    (length >> shift) as usize + PARTS * shift as usize
}

/// The longest length in a bucket.
const fn end(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let shift = bucket / PARTS - 1;
    (((bucket % PARTS + PARTS + 1) as u64) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(end(index)), index);
            assert_eq!(bucket(end(index) + 1), (index + 1).min(BUCKETS - 1));
        }
        assert_eq!(end(BUCKETS - 1), LONGEST);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert!((0..=LONGEST).all(|length| end(bucket(length)) - length <= length / 8));
    }

    #[test]
    fn halving_keeps_the_tail() {
        let mut sketch = Sketch::default();
        // Twenty long answers, no two in one bucket.
        for long in 0..20u32 {
            sketch.add(1000 << (long / 2) | u64::from(long % 2) << (9 + long / 2));
        }
        for _ in 0..235 {
            sketch.add(1);
        }
        sketch.halve();
        assert_eq!(sketch.total, 127);
        let long: u8 = sketch.counts[2..].iter().sum();
        assert_eq!(long, 10);
    }

    #[test]
    fn a_sketch_is_small() {
        assert_eq!(size_of::<Sketch>(), 145);
    }
}
