//! What inputs are made from: an entry a line, with `\n` and `\r` for line breaks. Those of `messages`, `streams`,
//! `events`, `uris` and `headers` are for the most part the recorded cases' own.

/// The inputs of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Corpus {
    Messages,
    Answers,
    Streams,
    Events,
    Uris,
    Templates,
    Headers,
    Cassettes,
    Configurations,
    Models,
}

pub(crate) fn of(corpus: Corpus) -> Vec<Vec<u8>> {
    use Corpus::{Answers, Cassettes, Configurations, Events, Models, Streams};

    let text = match corpus {
        Corpus::Messages => include_str!("corpus/messages.txt"),
        Corpus::Answers => include_str!("corpus/answers.txt"),
        Corpus::Streams => include_str!("corpus/streams.txt"),
        Corpus::Events => include_str!("corpus/events.txt"),
        Corpus::Uris => include_str!("corpus/uris.txt"),
        Corpus::Templates => include_str!("corpus/templates.txt"),
        Corpus::Headers => include_str!("corpus/headers.txt"),
        Corpus::Cassettes => include_str!("corpus/cassettes.txt"),
        Corpus::Configurations => include_str!("corpus/configurations.txt"),
        Corpus::Models => include_str!("corpus/models.txt"),
    };
    let breaks = matches!(corpus, Answers | Streams | Events | Cassettes | Configurations | Models);
    let entry = |line: &str| if breaks { line.replace("\\n", "\n").replace("\\r", "\r") } else { line.to_owned() };
    text.lines().map(|line| entry(line).into_bytes()).collect()
}
