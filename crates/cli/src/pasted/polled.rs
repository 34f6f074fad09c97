//! Reading that looks before it takes anything whether anybody still wants it.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

use super::MAX_LINE;

/// How often it is looked whether the line is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn read(sender: oneshot::Sender<String>) {
    read_from(&io::stdin(), sender);
}

/// Byte by byte, so that nothing behind the line is taken.
fn read_from(input: &impl AsFd, sender: oneshot::Sender<String>) {
    let mut line = Vec::new();
    while line.len() < MAX_LINE && wait_for(input, &sender) {
        let mut byte = [0];
        match rustix::io::read(input, &mut byte) {
            Ok(1) if byte != *b"\n" => line.extend(byte),
            Err(rustix::io::Errno::INTR) => {}
            // The line has ended, or the input has.
            ended => {
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                if !text.is_empty() {
                    let _ = sender.send(text);
                    return;
                }
                if ended != Ok(1) {
                    return;
                }
                line.clear();
            }
        }
    }
}

/// Waits until there is something to read, or its end; false where nobody wants it any more.
fn wait_for(input: &impl AsFd, sender: &oneshot::Sender<String>) -> bool {
    let Ok(timeout) = Timespec::try_from(LOOK_EVERY) else { return false };
    loop {
        let mut ready = [PollFd::new(input, PollFlags::IN)];
        let polled = poll(&mut ready, Some(&timeout));
        if sender.is_closed() {
            return false;
        }
        match polled {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn the_first_line_with_something_in_it_is_taken_and_nothing_behind_it() {
        let (mut input, mut output) = io::pipe().unwrap();
        let (sender, line) = oneshot::channel();
        output.write_all("\n \r\n  http://h/\u{e9}?a  \r\nnext\n".as_bytes()).unwrap();
        read_from(&input, sender);
        assert_eq!(line.blocking_recv().unwrap(), "http://h/\u{e9}?a");
        drop(output);
        let mut rest = String::new();
        input.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "next\n");
    }

    #[test]
    fn a_line_that_nobody_waits_for_any_more_is_left_to_others() {
        let (mut input, mut output) = io::pipe().unwrap();
        let (sender, line) = oneshot::channel();
        let reading = {
            let input = input.try_clone().unwrap();
            std::thread::spawn(move || read_from(&input, sender))
        };
        drop(line);
        reading.join().unwrap();
        output.write_all(b"next\n").unwrap();
        drop(output);
        let mut rest = String::new();
        input.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "next\n");
    }

    #[test]
    fn input_that_ends_gives_nothing_and_a_last_line_needs_no_end() {
        for (text, wanted) in [("", None), (" \n", None), ("a", Some("a"))] {
            let (input, mut output) = io::pipe().unwrap();
            let (sender, line) = oneshot::channel();
            output.write_all(text.as_bytes()).unwrap();
            drop(output);
            read_from(&input, sender);
            assert_eq!(line.blocking_recv().ok().as_deref(), wanted, "{text:?}");
        }
    }
}
