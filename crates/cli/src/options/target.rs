//! Which of a command's words is the server's URL.

use bowline::Target;

use super::{Command, Global, Server};
use crate::exit::CliError;
use crate::sanitize;

impl Command {
    /// Tells the server's URL from the other words: it comes first, where no program is named.
    ///
    /// What `read` and `watch` are given may be URLs too. So behind `read` two words are needed for one of them to be
    /// the server, and where a program is named none is. Names of tools and prompts that look like URLs are refused
    /// there: they are far more likely a server named twice.
    pub(crate) fn find_url(&mut self, global: &Global) -> Result<(), CliError> {
        let stated = global.states_stdio();
        let has_program = |server: &Server| stated || !server.command.is_empty();
        match self {
            Self::Demo(_) | Self::Replay(_) => {}
            Self::Auth(super::Auth { command }) => {
                let url = command.url();
                if !Target::is_url(url) {
                    return Err(no_server(url));
                }
            }
            Self::List(super::List { target, server, .. })
            | Self::Ping(super::Ping { target, server, .. })
            | Self::Inspect(super::Inspect { target, server, .. })
            | Self::Record(super::Record { target, server, .. }) => {
                let Some(word) = target.take() else { return Ok(()) };
                refuse_second(has_program(server), &word)?;
                if !Target::is_url(&word) {
                    return Err(no_server(&word));
                }
                server.url = Some(word);
            }
            Self::Info(info) => {
                let Some(first) = &info.tool else { return Ok(()) };
                refuse_second(has_program(&info.server), first)?;
                if Target::is_url(first) {
                    info.server.url = std::mem::replace(&mut info.tool, info.more.take());
                } else if let Some(more) = &info.more {
                    return Err(one_too_many(first, more));
                }
                if info.tool.is_none() && (info.schema || info.input_schema || info.output_schema) {
                    return Err(CliError::usage("a schema is that of a tool, and no tool is named")
                        .hint("write the tool's name behind the URL"));
                }
            }
            Self::Call(call) => {
                refuse_second(has_program(&call.server), &call.tool)?;
                call.server.url = shift(&mut call.tool, &mut call.given.words, TOOL)?;
            }
            Self::Bench(bench) => {
                refuse_second(has_program(&bench.server), &bench.tool)?;
                bench.server.url = shift(&mut bench.tool, &mut bench.given.words, TOOL)?;
            }
            Self::Prompt(prompt) => {
                refuse_second(has_program(&prompt.server), &prompt.name)?;
                prompt.server.url = shift(&mut prompt.name, &mut prompt.arguments, "NAME [ARGUMENT]…")?;
            }
            Self::Read(read) => {
                let Some(more) = read.more.take() else { return Ok(()) };
                refuse_second(has_program(&read.server), &read.uri)?;
                if !Target::is_url(&read.uri) {
                    return Err(one_too_many(&read.uri, &more));
                }
                read.server.url = Some(std::mem::replace(&mut read.uri, more));
            }
            Self::Complete(complete) => {
                refuse_second(has_program(&complete.server), &complete.reference)?;
                let is_url = Target::is_url(&complete.reference);
                match complete.more.take() {
                    Some(more) if is_url => {
                        let reference = std::mem::replace(&mut complete.argument, more);
                        complete.server.url = Some(std::mem::replace(&mut complete.reference, reference));
                    }
                    Some(more) => return Err(one_too_many(&complete.reference, &more)),
                    None if is_url => return Err(too_few("REFERENCE ARGUMENT=VALUE")),
                    None => {}
                }
            }
            Self::Watch(watch) => {
                if !has_program(&watch.server) && watch.uris.first().is_some_and(|word| Target::is_url(word)) {
                    watch.server.url = Some(watch.uris.remove(0));
                }
            }
        }
        Ok(())
    }
}

/// What stands behind the URL where a tool is called.
const TOOL: &str = "TOOL [ARGUMENT]…";

/// The URL, if the first word is one; the next word takes its place.
fn shift(first: &mut String, rest: &mut Vec<String>, wanted: &str) -> Result<Option<String>, CliError> {
    if !Target::is_url(first) {
        return Ok(None);
    }
    if rest.is_empty() {
        return Err(too_few(wanted));
    }
    let next = rest.remove(0);
    Ok(Some(std::mem::replace(first, next)))
}

// A URL may hold a password or a token: none of these messages repeats one.

fn refuse_second(has_program: bool, word: &str) -> Result<(), CliError> {
    if has_program && Target::is_url(word) {
        return Err(CliError::usage("the server is named twice: by a URL and by a command")
            .hint("leave out the URL, or what stands behind -- or --stdio"));
    }
    Ok(())
}

fn too_few(wanted: &str) -> CliError {
    CliError::usage("nothing is asked of the server behind the URL").hint(format!("write {wanted} behind the URL"))
}

fn one_too_many(first: &str, second: &str) -> CliError {
    let second = if Target::is_url(second) { "a URL".to_owned() } else { format!("`{}`", sanitize::line(second)) };
    CliError::usage(format!("`{}` is no server's URL, and {second} is one word too many", sanitize::line(first)))
        .hint("the URL comes first: http://… https://… ws://… wss://… unix:/path tcp:host:port")
}

fn no_server(word: &str) -> CliError {
    CliError::usage(format!("`{}` names no server", sanitize::line(word)))
        .hint("write a URL such as http://127.0.0.1:3000/mcp or unix:/path, or `-- command arguments…` at the end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::parse;

    const URL: &str = "http://127.0.0.1:1/mcp";

    fn found(words: &str) -> Result<Command, CliError> {
        let mut cli = parse(&words.replace("URL", URL)).unwrap();
        cli.command.find_url(&cli.global).map(|()| cli.command)
    }

    #[test]
    fn the_url_comes_first_and_the_other_words_move_up() {
        let Ok(Command::Call(call)) = found("call URL echo a=1 b=2") else { panic!() };
        assert_eq!((call.server.url.as_deref(), call.tool.as_str()), (Some(URL), "echo"));
        assert_eq!(call.given.words, ["a=1", "b=2"]);
        let Ok(Command::Info(info)) = found("info URL --schema echo") else { panic!() };
        assert_eq!((info.server.url.as_deref(), info.tool.as_deref()), (Some(URL), Some("echo")));
        let Ok(Command::Info(info)) = found("info URL") else { panic!() };
        assert_eq!((info.server.url.as_deref(), info.tool), (Some(URL), None));
        let Ok(Command::Read(read)) = found("read URL https://example.com/a") else { panic!() };
        assert_eq!((read.server.url.as_deref(), read.uri.as_str()), (Some(URL), "https://example.com/a"));
        let Ok(Command::Complete(complete)) = found("complete URL prompt:p a=b") else { panic!() };
        assert_eq!((complete.reference.as_str(), complete.argument.as_str()), ("prompt:p", "a=b"));
        assert_eq!(complete.server.url.as_deref(), Some(URL));
        let Ok(Command::Prompt(prompt)) = found("prompt unix:/run/x p a=b") else { panic!() };
        assert_eq!((prompt.server.url.as_deref(), prompt.name.as_str()), (Some("unix:/run/x"), "p"));
        let Ok(Command::Watch(watch)) = found("watch tcp:localhost:1 x://1 x://2") else { panic!() };
        assert_eq!((watch.server.url.as_deref(), watch.uris.len()), (Some("tcp:localhost:1"), 2));
        let Ok(Command::List(list)) = found("list wss://example.com") else { panic!() };
        assert_eq!(list.server.url.as_deref(), Some("wss://example.com"));
    }

    #[test]
    fn where_a_program_is_named_resources_may_be_urls() {
        for words in ["read URL -- program", "read --stdio program URL", "read URL"] {
            let Ok(Command::Read(read)) = found(words) else { panic!("{words}") };
            assert_eq!((read.server.url, read.uri.as_str()), (None, URL), "{words}");
        }
        let Ok(Command::Watch(watch)) = found("watch URL --stdio program") else { panic!() };
        assert_eq!((watch.server.url, watch.uris.len()), (None, 1));
    }

    #[test]
    fn a_server_named_twice_or_not_at_all_is_a_usage_error_that_repeats_no_url() {
        let twice = ["list URL -- p", "ping URL --stdio p", "call URL t -- p", "info URL -- p", "prompt URL p -- p"];
        let few = ["call URL", "prompt URL", "complete URL prompt:p", "info URL --schema"];
        let many = ["read x://1 URL", "read URL URL -- p", "info a b", "complete a b c", "list everything", "ping p"];
        for words in twice.into_iter().chain(few).chain(many) {
            let error = found(words).map(|_| ()).expect_err(words);
            assert_eq!(error.code, crate::exit::Code::Usage, "{words}");
            assert!(!error.message.contains(URL) && error.hint.is_some_and(|hint| !hint.contains("127.0.0.1:1")));
        }
    }
}
