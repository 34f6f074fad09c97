//! Reading that cannot be called off.

use std::io::{self, BufRead as _};

use tokio::sync::oneshot;

use super::MAX_LINE;

pub(super) fn read(sender: oneshot::Sender<String>) {
    let mut input = io::Read::take(io::stdin().lock(), MAX_LINE as u64);
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|read| read > 0) {
        if !line.trim().is_empty() {
            let _ = sender.send(line.trim().to_owned());
            return;
        }
        line.clear();
    }
}
