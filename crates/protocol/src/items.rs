//! The items of an array, one at a time.

use std::fmt;

use serde::Deserializer;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Calls `each` with the text of every item of `array`, and collects nothing: a small item costs its sender two bytes.
///
/// Items before the place of an error are seen, too.
pub(crate) fn for_each_item<'a>(array: &'a [u8], each: impl FnMut(&'a RawValue)) -> Result<(), serde_json::Error> {
    struct Each<F>(F);

    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(item) = seq.next_element()? {
                (self.0)(item);
            }
            Ok(())
        }
    }

    let mut reader = serde_json::Deserializer::from_slice(array);
    reader.deserialize_seq(Each(each))?;
    reader.end()
}
