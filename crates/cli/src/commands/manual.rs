//! `bowline completions` and `bowline man`: what shells and `man` know of the command, from its own definition.

use std::fs;
use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use crate::exit::{CliError, Code, Stop};
use crate::options::{self, Cli, Format};
use crate::output::Output;
use crate::sanitize;
use crate::styled::Styled;
use crate::suggest;

/// Completes the names of configured servers where one may stand: behind the commands that take one first.
///
/// Names come out of files of others. They are held against the word by letters, and never read as words of the shell,
/// as `compgen -W` would.
const BASH_SERVERS: &str = r#"
_bowline_with_servers() {
    _bowline "$@"
    local word="${COMP_WORDS[COMP_CWORD]}" name
    [[ ${COMP_CWORD} -eq 2 && "$word" != -* ]] || return 0
    case "${COMP_WORDS[1]}" in
        SERVER_COMMANDS) ;;
        *) return 0 ;;
    esac
    while IFS= read -r name; do
        [[ "$name" == "$word"* && "$name" =~ ^[A-Za-z0-9._@-]+$ ]] && COMPREPLY+=("$name")
    done < <(bowline config list --output raw 2>/dev/null)
    return 0
}
complete -F _bowline_with_servers -o nosort -o bashdefault -o default bowline
"#;

/// The same for fish, which takes what a command prints as words and not as code.
const FISH_SERVERS: &str = r#"
function __bowline_wants_server
    set -l words (commandline -opc)
    test (count $words) -eq 2; and contains -- $words[2] SERVER_COMMANDS
end
complete -c bowline -f -n __bowline_wants_server -a "(bowline config list --output raw 2>/dev/null)"
"#;

/// The same for zsh, which quotes what it inserts: what comes before the script, which changes the words that it is given.
/// Where zsh loads the script as a function, the first completion is made by the script itself.
const ZSH_SERVERS: &str = r#"
_bowline_servers() {
    (( CURRENT == 3 )) || return 0
    case "${words[2]}" in
        SERVER_COMMANDS) ;;
        *) return 0 ;;
    esac
    local -a names
    names=(${(f)"$(bowline config list --output raw 2>/dev/null)"})
    compadd -a names
}

_bowline_with_servers() {
    _bowline_servers
    _bowline "$@"
}

if [ "$funcstack[1]" = "_bowline" ]; then
    _bowline_servers
fi
"#;
const ZSH_END: &str = "
compdef _bowline_with_servers bowline
";

/// Commands whose first word is a server.
const SERVER_COMMANDS: &str =
    "list|ls|tools|info|call|read|prompt|complete|ping|doctor|watch|inspect|record|bench|chat|scan|remove|rm";

/// Prints the script for a shell.
pub(super) fn completions(shell: Shell, out: &mut Output) -> Result<(), Stop> {
    let script = script(shell);
    if out.format() == Format::Json {
        return out.json(&json!({"shell": shell.to_string(), "script": script}));
    }
    out.raw(script.as_bytes())
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::definition(), "bowline", &mut bytes);
    let mut script = String::from_utf8_lossy(&bytes).into_owned();
    // The first line of zsh's says which command the file is for.
    let (first, rest) = script.split_once('\n').unwrap_or((&script, ""));
    match shell {
        Shell::Bash => script += &BASH_SERVERS.replace("SERVER_COMMANDS", SERVER_COMMANDS),
        Shell::Fish => script += &FISH_SERVERS.replace("SERVER_COMMANDS", &SERVER_COMMANDS.replace('|', " ")),
        Shell::Zsh => {
            let before = ZSH_SERVERS.replace("SERVER_COMMANDS", SERVER_COMMANDS);
            script = format!("{first}\n{before}{rest}{ZSH_END}");
        }
        _ => {}
    }
    script
}

/// Prints the page of one command, or writes all.
pub(super) fn man(options: &options::Man, out: &mut Output) -> Result<(), Stop> {
    let Some(folder) = &options.dir else {
        let page = page(find(&options.command)?)?;
        if out.format() == Format::Json {
            return out.json(&json!({"page": page}));
        }
        return out.raw(page.as_bytes());
    };
    let unwritable = |path: &Path, error: std::io::Error| {
        CliError::new(Code::Unexpected, format!("cannot write `{}`: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let mut files = Vec::new();
    for command in all() {
        let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name())));
        fs::write(&path, page(command)?).map_err(|error| unwritable(&path, error))?;
        files.push(path.to_string_lossy().into_owned());
    }
    if out.format() == Format::Json {
        return out.json(&json!({"files": files}));
    }
    out.text(&Styled::new().plain(format!("wrote {} pages into {}", files.len(), folder.display())).line())
}

/// The command, and all commands of it.
fn all() -> Vec<clap::Command> {
    let mut whole = Cli::definition();
    whole.build();
    let mut all = vec![whole];
    let mut next = 0;
    while let Some(command) = all.get(next) {
        let inner: Vec<_> = command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned().collect();
        all.extend(inner);
        next += 1;
    }
    all
}

fn find(words: &[String]) -> Result<clap::Command, CliError> {
    let mut command = Cli::definition();
    command.build();
    for word in words {
        let Some(inner) = command.find_subcommand(word) else {
            let names = command.get_subcommands().map(clap::Command::get_name);
            let hint = suggest::did_you_mean(word, names).unwrap_or_else(|| "`bowline --help` lists them".to_owned());
            return Err(CliError::usage(format!("there is no command `{}`", sanitize::line(word))).hint(hint));
        };
        command = inner.clone();
    }
    Ok(command)
}

fn page(command: clap::Command) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let source = concat!("bowline ", env!("CARGO_PKG_VERSION"));
    Man::new(command)
        .source(source)
        .manual("bowline")
        .render(&mut bytes)
        .map_err(|error| CliError::new(Code::Unexpected, format!("cannot write a manual page: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_command_and_option() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in all().iter().skip(1) {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
                for long in command.get_arguments().filter_map(clap::Arg::get_long) {
                    assert!(script.contains(long), "{shell}: {} {long}", command.get_name());
                }
            }
        }
    }

    #[test]
    fn commands_that_complete_servers_are_commands() {
        let whole = Cli::definition();
        for name in SERVER_COMMANDS.split('|') {
            assert!(whole.find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn shells_that_can_complete_the_names_of_servers() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let script = script(shell);
            assert!(script.contains("bowline config list --output raw"), "{shell}");
            assert!(!script.contains("SERVER_COMMANDS"), "{shell}");
        }
        // zsh reads the first line of a file to learn what it completes.
        let zsh = script(Shell::Zsh);
        assert!(zsh.starts_with("#compdef bowline\n") && zsh.ends_with(ZSH_END), "{zsh}");
    }

    #[test]
    fn every_page_has_the_options_and_examples_of_its_command() {
        for command in all() {
            let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
            let longs: Vec<String> = command.get_arguments().filter_map(clap::Arg::get_long).map(roff).collect();
            let has_examples = command.get_after_help().is_some();
            let page = page(command).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
            for long in longs {
                assert!(page.contains(&long), "{name}: {long}: {page}");
            }
            assert_eq!(page.contains(".SH EXTRA"), has_examples, "{name}");
        }
    }

    /// A word as it stands in a page.
    fn roff(word: &str) -> String {
        word.replace('-', "\\-")
    }

    #[test]
    fn a_page_of_an_unknown_command_is_a_usage_error() {
        let error = find(&["config".to_owned(), "lst".to_owned()]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `list`?"));
        assert_eq!(find(&["config".to_owned(), "add".to_owned()]).unwrap().get_name(), "add");
    }
}
