//! Chance that a seed repeats.

/// A stream of numbers that its seed determines.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Makes the stream of `seed` for one `part` of a run, unlike those of all other parts.
    pub fn new(seed: u64, part: &str) -> Self {
        let mut chance = Self(seed);
        for byte in part.bytes() {
            chance.0 = chance.draw() ^ u64::from(byte);
        }
        chance
    }

    /// Gives the next number (splitmix64).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Gives a number below `bound`, or 0 if there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// Gives a number of `range`.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// Says yes `n` times of a thousand.
    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// Picks one; `None` of nothing.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_another_part_has_others() {
        let draw = |seed, part| {
            let mut chance = Chance::new(seed, part);
            (0..4).map(|_| chance.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "users"), draw(7, "users"));
        assert_ne!(draw(7, "users"), draw(8, "users"));
        assert_ne!(draw(7, "users"), draw(7, "nemesis"));
    }

    #[test]
    fn a_chance_of_all_or_none_is_certain() {
        let mut chance = Chance::new(1, "");
        assert!((0..100).all(|_| chance.per_mille(1000) && !chance.per_mille(0)));
    }
}
