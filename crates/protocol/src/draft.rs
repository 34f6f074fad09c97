//! JSON text on its way to shared bytes.

use std::io;

use bytes::Bytes;

/// What is put together without an allocation, in bytes: most requests and arguments.
const SMALL: usize = 512;

/// Text that is put together and then shared.
///
/// Small text comes to exactly one allocation, of its size. A vector would take one to write, one or more to grow,
/// and one for the count of those who share it.
pub(crate) struct Draft {
    small: [u8; SMALL],
    len: usize,
    /// Has capacity once all is here.
    large: Vec<u8>,
}

impl Draft {
    /// An empty draft of a text of about so many bytes; rather too many than too few.
    pub(crate) fn new(about: usize) -> Self {
        let large = if about > SMALL { Vec::with_capacity(about) } else { Vec::new() };
        Self { small: [0; SMALL], len: 0, large }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.large.capacity() == 0 {
            let room = self.small.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len()));
            if let Some(room) = room {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
                return;
            }
            self.large.reserve(2 * SMALL + bytes.len());
            self.large.extend_from_slice(self.small.get(..self.len).unwrap_or_default());
        }
        self.large.extend_from_slice(bytes);
    }

    pub(crate) fn finish(self) -> Bytes {
        if self.large.capacity() == 0 {
            Bytes::copy_from_slice(self.small.get(..self.len).unwrap_or_default())
        } else {
            Bytes::from(self.large)
        }
    }
}

impl io::Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_pushed_comes_out_in_order(pieces: Vec<Vec<u8>>, about in 0..2 * SMALL, filler in 0..2 * SMALL) {
            let mut draft = Draft::new(about);
            let mut wanted = vec![b'x'; filler];
            draft.push(&wanted);
            for piece in &pieces {
                draft.push(piece);
                wanted.extend_from_slice(piece);
            }
            prop_assert_eq!(draft.finish(), wanted);
        }
    }
}
