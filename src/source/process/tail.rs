//! The last bytes of a stream.

/// Keeps the last `limit` bytes of what it is given, and counts the others.
pub(super) struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, dropped: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Twice the limit may pile up, so that a flood is not moved about at every read.
        if self.bytes.len() > self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    /// Returns the last bytes, and how many came before them.
    pub(super) fn into_parts(mut self) -> (Vec<u8>, u64) {
        self.cut();
        (self.bytes, self.dropped)
    }

    fn cut(&mut self) {
        let over = self.bytes.len().saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn the_last_bytes_stay_and_the_others_are_counted() {
        for chunk in 1..40 {
            let text: Vec<u8> = (0..200).collect();
            let mut tail = Tail::new(16);
            text.chunks(chunk).for_each(|bytes| tail.push(bytes));
            assert_eq!(tail.into_parts(), (text[184..].to_vec(), 184), "in chunks of {chunk}");
        }
    }

    #[test]
    fn less_than_the_limit_stays_whole() {
        let mut tail = Tail::new(16);
        tail.push(b"short");
        assert_eq!(tail.into_parts(), (b"short".to_vec(), 0));
    }
}
