//! Sessions that are recorded and played back by the command.

use std::path::{Path, PathBuf};

use crate::run::{BOWLINE, Ran, bowline, serve};

/// A folder of a test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wire-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs commands with a server, while `bowline record` writes down what passes, and then with `bowline replay`: as a
/// process, leniently and strictly, and over HTTP. Each time the output is the same, byte for byte.
pub(crate) fn byte_for_byte(name: &str, server: &[&str], commands: &[&[&str]]) {
    let folder = Folder::new(name);
    let file = folder.file("recorded.jsonl");
    let with = |words: &[&str], server: &[&str]| bowline(&[words, &["--"], server].concat());
    let same = |ran: &Ran, recorded: &Ran, words: &[&str]| {
        assert_eq!((ran.code, &ran.stdout), (recorded.code, &recorded.stdout), "{words:?}: {}", ran.stderr);
    };
    let mut recorded = Vec::new();
    for words in commands {
        let ran = with(words, &[&[BOWLINE, "record", "-o", &file, "--append", "--"], server].concat());
        same(&ran, &with(words, server), words);
        recorded.push(ran);
    }
    for strict in [&["--strict"][..], &[]] {
        for (words, recorded) in commands.iter().zip(&recorded) {
            same(&with(words, &[&[BOWLINE, "replay", &file], strict].concat()), recorded, words);
        }
    }
    let serving = serve(&["replay", &file, "--http", "0"]);
    for (words, recorded) in commands.iter().zip(&recorded) {
        let (verb, rest) = words.split_first().unwrap();
        same(&bowline(&[&[*verb, serving.url()], rest].concat()), recorded, words);
    }
}
