//! Which of a command's words is the server.

use bowline::Target;

use super::{Command, ConfigCommand, Global, GuardCommand, Server};
use crate::configured::{self, Catalog};
use crate::exit::CliError;
use crate::sanitize;

impl Command {
    /// Refuses a configuration file that the command line names and that is not there, but where that is what the command
    /// tells of.
    pub(crate) fn require_config(&self, global: &Global) -> Result<(), CliError> {
        match self {
            Self::Doctor(_) => Ok(()),
            Self::Config(super::Config { command: ConfigCommand::Check | ConfigCommand::Path }) => Ok(()),
            _ => configured::require(global.stated_config()),
        }
    }

    /// Tells the server from the other words: its URL or its name comes first, where no program is named.
    ///
    /// What `read` and `watch` are given may be URLs too. So behind `read` two words are needed for one of them to be
    /// the server, and where a program is named none is. Names of tools and prompts that look like URLs are refused
    /// there: they are far more likely a server named twice.
    pub(crate) fn find_server(&mut self, global: &Global, catalog: &Catalog) -> Result<(), CliError> {
        let stated = global.states_stdio();
        let has_program = |server: &Server| stated || !server.command.is_empty();
        // A program that a variable names is a server for every command that says no other.
        let by_name = |server: &Server| !has_program(server) && global.stdio.is_none();
        match self {
            Self::Chat(_)
            | Self::Demo(_)
            | Self::Replay(_)
            | Self::Add(_)
            | Self::Remove(_)
            | Self::Config(_)
            | Self::Scan(_)
            | Self::Search(_)
            | Self::Grep(_)
            | Self::Audit(_)
            | Self::Completions(_)
            | Self::Man(_) => {}
            Self::Guard(guard) => {
                let options = match &mut guard.command {
                    GuardCommand::Accept(accept) => &mut accept.what,
                    GuardCommand::Forget(options) => options,
                    _ => return Ok(()),
                };
                let program = has_program(&options.of);
                match options.target.take() {
                    // Behind a program all words are names.
                    Some(word) if program => options.names.insert(0, word),
                    Some(word) if Target::is_url(&word) => options.of.url = Some(word),
                    Some(word) => options.of.configured = Some(catalog.server(&word)?),
                    None if program => {}
                    None => return Err(too_few("guard accept SERVER")),
                }
            }
            Self::Auth(super::Auth { command }) => {
                let word = command.url_mut();
                if !Target::is_url(word) {
                    *word = configured::url(global, &*catalog.server(word)?)?;
                }
            }
            Self::List(super::List { target, server, .. })
            | Self::Doctor(super::Doctor { target, server, .. })
            | Self::Ping(super::Ping { target, server, .. })
            | Self::Inspect(super::Inspect { target, server, .. })
            | Self::Record(super::Record { target, server, .. }) => {
                let Some(word) = target.take() else { return Ok(()) };
                refuse_second(has_program(server), &word)?;
                if Target::is_url(&word) {
                    server.url = Some(word);
                } else if has_program(server) {
                    return Err(catalog.unknown(&word));
                } else {
                    server.configured = Some(catalog.server(&word)?);
                }
            }
            Self::Info(info) => {
                let Some(first) = &info.tool else { return Ok(()) };
                refuse_second(has_program(&info.server), first)?;
                if Target::is_url(first) {
                    info.server.url = std::mem::replace(&mut info.tool, info.more.take());
                } else if by_name(&info.server) {
                    let (server, tool) = catalog.split(first)?;
                    if let (Some(tool), Some(more)) = (&tool, &info.more) {
                        return Err(one_too_many(tool, more));
                    }
                    info.server.configured = Some(server);
                    info.tool = tool.or_else(|| info.more.take());
                } else if let Some(more) = &info.more {
                    return Err(one_too_many(first, more));
                }
                if info.tool.is_none() && (info.schema || info.input_schema || info.output_schema) {
                    return Err(CliError::usage("a schema is that of a tool, and no tool is named")
                        .hint("write the tool's name behind the server"));
                }
            }
            Self::Call(call) => {
                refuse_second(has_program(&call.server), &call.tool)?;
                let by_name = by_name(&call.server).then_some(catalog);
                shift(&mut call.server, by_name, &mut call.tool, &mut call.given.words, TOOL)?;
            }
            Self::Bench(bench) => {
                refuse_second(has_program(&bench.server), &bench.tool)?;
                let by_name = by_name(&bench.server).then_some(catalog);
                shift(&mut bench.server, by_name, &mut bench.tool, &mut bench.given.words, TOOL)?;
            }
            Self::Prompt(prompt) => {
                refuse_second(has_program(&prompt.server), &prompt.name)?;
                let by_name = by_name(&prompt.server).then_some(catalog);
                shift(&mut prompt.server, by_name, &mut prompt.name, &mut prompt.arguments, "NAME [ARGUMENT]…")?;
            }
            Self::Read(read) => {
                let Some(more) = read.more.take() else { return Ok(()) };
                refuse_second(has_program(&read.server), &read.uri)?;
                if Target::is_url(&read.uri) {
                    read.server.url = Some(std::mem::replace(&mut read.uri, more));
                } else if by_name(&read.server) {
                    read.server.configured = Some(catalog.server(&read.uri)?);
                    read.uri = more;
                } else {
                    return Err(one_too_many(&read.uri, &more));
                }
            }
            Self::Complete(complete) => {
                refuse_second(has_program(&complete.server), &complete.reference)?;
                let is_url = Target::is_url(&complete.reference);
                match complete.more.take() {
                    Some(more) if is_url || by_name(&complete.server) => {
                        if !is_url {
                            complete.server.configured = Some(catalog.server(&complete.reference)?);
                        }
                        let reference = std::mem::replace(&mut complete.argument, more);
                        let server = std::mem::replace(&mut complete.reference, reference);
                        complete.server.url = is_url.then_some(server);
                    }
                    Some(more) => return Err(one_too_many(&complete.reference, &more)),
                    None if is_url => return Err(too_few("REFERENCE ARGUMENT=VALUE")),
                    None => {}
                }
            }
            Self::Watch(watch) => {
                let Some(first) = watch.uris.first().filter(|_| !has_program(&watch.server)) else { return Ok(()) };
                if Target::is_url(first) {
                    watch.server.url = Some(watch.uris.remove(0));
                } else if by_name(&watch.server) {
                    watch.server.configured = Some(catalog.server(first)?);
                    watch.uris.remove(0);
                }
            }
        }
        Ok(())
    }
}

/// What stands behind the server where a tool is called.
const TOOL: &str = "TOOL [ARGUMENT]…";

/// Takes the server from the first word, if it is one or has to be one; what is left of the words moves up.
fn shift(
    server: &mut Server,
    by_name: Option<&Catalog>,
    first: &mut String,
    rest: &mut Vec<String>,
    wanted: &str,
) -> Result<(), CliError> {
    if !Target::is_url(first) {
        let Some(catalog) = by_name else { return Ok(()) };
        let (configured, tool) = catalog.split(first)?;
        server.configured = Some(configured);
        if let Some(tool) = tool {
            *first = tool;
            return Ok(());
        }
    }
    if rest.is_empty() {
        return Err(too_few(wanted));
    }
    let next = rest.remove(0);
    let word = std::mem::replace(first, next);
    server.url = Target::is_url(&word).then_some(word);
    Ok(())
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
    CliError::usage("nothing is asked of the server").hint(format!("write {wanted} behind the server"))
}

fn one_too_many(first: &str, second: &str) -> CliError {
    let second = if Target::is_url(second) { "a URL".to_owned() } else { format!("`{}`", sanitize::line(second)) };
    CliError::usage(format!("`{}` is no server's URL, and {second} is one word too many", sanitize::line(first)))
        .hint("the URL comes first: http://… https://… ws://… wss://… unix:/path tcp:host:port")
}

#[cfg(test)]
mod tests {
    use bowline::config::{Configuration, Host};

    use super::*;
    use crate::options::tests::parse;

    const URL: &str = "http://127.0.0.1:1/mcp";

    fn found(words: &str) -> Result<Command, CliError> {
        let mut cli = parse(&words.replace("URL", URL)).unwrap();
        let text = r#"{"mcpServers":{"tickets":{"url":"http://t"},"a.b":{"command":"x"},"bad":{"type":"pigeon"}}}"#;
        let catalog = Catalog::of(Configuration::read(Host::Generic, "mcp.json", text));
        cli.command.find_server(&cli.global, &catalog).map(|()| cli.command)
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

    #[test]
    fn the_name_of_a_configured_server_comes_first_too() {
        let name = |server: &Server| server.configured.as_ref().map(|found| found.name.clone()).unwrap_or_default();
        for words in ["call tickets.echo a=1", "call tickets/echo a=1", "call tickets echo a=1"] {
            let Ok(Command::Call(call)) = found(words) else { panic!("{words}") };
            assert_eq!((name(&call.server).as_str(), call.tool.as_str()), ("tickets", "echo"), "{words}");
            assert_eq!(call.given.words, ["a=1"]);
        }
        let Ok(Command::Call(call)) = found("call a.b.c.d") else { panic!() };
        assert_eq!((name(&call.server).as_str(), call.tool.as_str()), ("a.b", "c.d"));
        let Ok(Command::List(list)) = found("list a.b") else { panic!() };
        assert_eq!(name(&list.server), "a.b");
        let Ok(Command::Info(info)) = found("info tickets echo") else { panic!() };
        assert_eq!((name(&info.server).as_str(), info.tool.as_deref()), ("tickets", Some("echo")));
        let Ok(Command::Info(info)) = found("info tickets") else { panic!() };
        assert_eq!((name(&info.server).as_str(), info.tool), ("tickets", None));
        let Ok(Command::Read(read)) = found("read tickets x://1") else { panic!() };
        assert_eq!((name(&read.server).as_str(), read.uri.as_str()), ("tickets", "x://1"));
        let Ok(Command::Complete(complete)) = found("complete tickets prompt:p a=b") else { panic!() };
        assert_eq!((name(&complete.server).as_str(), complete.argument.as_str()), ("tickets", "a=b"));
        let Ok(Command::Watch(watch)) = found("watch tickets x://1") else { panic!() };
        assert_eq!((name(&watch.server).as_str(), watch.uris.len()), ("tickets", 1));
        let Ok(Command::Prompt(prompt)) = found("prompt tickets p") else { panic!() };
        assert_eq!((name(&prompt.server).as_str(), prompt.name.as_str()), ("tickets", "p"));
        // Where a program is named, words are what they were.
        let Ok(Command::Call(call)) = found("call tickets.echo -- p") else { panic!() };
        assert_eq!((name(&call.server).as_str(), call.tool.as_str()), ("", "tickets.echo"));
    }

    #[test]
    fn a_name_that_is_unknown_or_cannot_be_used_is_told() {
        let error = found("list tickts").map(|_| ()).unwrap_err();
        assert!(error.message.contains("`tickts` names no server"), "{error}");
        assert_eq!(error.hint.as_deref(), Some("did you mean `tickets`?"));
        let error = found("list bad").map(|_| ()).unwrap_err();
        assert!(error.message.contains("mcp.json:1") && error.message.contains("pigeon"), "{error}");
    }
}
