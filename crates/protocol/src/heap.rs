//! What large values leave behind on the heap.

use std::cell::Cell;

/// From how many bytes of text on a value is large. Of smaller ones allocators keep what they take anyway.
const LARGE: usize = 16 << 10;
/// From how many on its memory is better given back.
const HUGE: usize = 2 << 20;
/// As small as what trees are made of, so that all room for such further down is used up.
const BLOCK: usize = 24;

thread_local! {
    static LAST: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Called once a value was decoded from so many bytes of text.
///
/// A tree takes ten times the room of its text, and mostly lies at the end of the heap. glibc gives the end back to the
/// system once it is free and larger than its threshold, so who decodes one large value after another has each page
/// taken away and mapped again: for a tree of 4 MB a thousand page faults, as much time as all else. A small block that
/// lies behind the tree keeps the memory for the next one. It is held until the thread decodes another large value, so
/// what is kept in vain is one tree a thread; of a huge one nothing is.
pub(crate) fn decoded(bytes: usize) {
    if bytes >= LARGE {
        let block = Vec::with_capacity(if bytes < HUGE { BLOCK } else { 0 });
        // The one before goes after this one has its place. A thread that ends has no use for either.
        let _ = LAST.try_with(|last| last.set(block));
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use crate::RawJson;

    /// How many pages this thread had mapped so far.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(7).unwrap().parse().unwrap()
    }

    #[test]
    fn trees_one_after_another_use_the_same_memory() {
        let leaf = r#"{"id":7,"name":"leaf","ratio":0.25,"ok":true,"none":null}"#;
        let raw: RawJson = format!("[{}]", vec![leaf; 4096].join(",")).parse().unwrap();
        let decode = |times| (0..times).for_each(|_| drop(raw.to_value()));
        decode(3);
        let before = faults();
        decode(50);
        let each = (faults() - before) / 50;
        assert!(each < 100, "{each} page faults for each tree");
    }
}
