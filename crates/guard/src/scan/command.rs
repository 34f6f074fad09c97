//! What a command line starts: which package, image or repository, and how firmly it is named.

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Started<'a> {
    /// A package of a registry, with the version if it names exactly one.
    Package { name: &'a str, version: Option<&'a str> },
    /// A container image; whether it is pinned.
    Image { name: &'a str, is_pinned: bool },
    /// A repository or an address; whether it is pinned.
    Source { name: &'a str, is_pinned: bool },
}

/// The name of a program without its folder and its ending.
pub(super) fn base_name(program: &str) -> String {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program).to_ascii_lowercase();
    let endings = [".exe", ".cmd", ".bat", ".ps1"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name).to_owned()
}

/// The program and its arguments behind what only starts others: `env A=b`, `sudo`, `cmd /c`.
pub(super) fn unwrapped<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut words = words.to_vec();
    // Each step takes a word away.
    while let Some((program, rest)) = words.split_first() {
        let first = rest.first().copied().unwrap_or_default();
        let from = |skipped: usize| rest.get(skipped..).unwrap_or_default().to_vec();
        let next = match (base_name(program).as_str(), first) {
            _ if assignment(program).is_some() => from(0),
            ("env", _) => env(rest),
            ("sudo", _) => from(flags(rest, &["-u", "-g", "-h", "-p", "-C", "--user", "--group"])),
            ("doas", _) => from(flags(rest, &["-u", "-C"])),
            ("nice", _) => from(flags(rest, &["-n", "--adjustment"])),
            ("timeout", _) => from(flags(rest, &["-s", "-k", "--signal", "--kill-after"]) + 1),
            ("ionice", _) => from(flags(rest, &["-c", "-n", "--class", "--classdata"])),
            ("stdbuf", _) => from(flags(rest, &["-i", "-o", "-e", "--input", "--output", "--error"])),
            ("taskset", _) => from(flags(rest, &[]) + 1),
            ("wsl", _) => from(flags(rest, &["-d", "--distribution", "-u", "--user", "--cd"])),
            (
                "nohup" | "time" | "exec" | "command" | "setsid" | "dumb-init" | "tini" | "unbuffer" | "caffeinate",
                _,
            ) => from(flags(rest, &[])),
            // Words of a shell before a command.
            ("if" | "then" | "elif" | "else" | "while" | "until" | "do" | "!" | "{" | "eval" | "corepack", _) => {
                from(0)
            }
            ("cmd", _) => {
                match rest.iter().position(|word| ["/c", "/k"].iter().any(|c| word.eq_ignore_ascii_case(c))) {
                    Some(at) => one_line(rest.get(at + 1..).unwrap_or_default()),
                    None => break,
                }
            }
            // `start /b npx …`, where the first words may be a title and flags.
            ("start", _) => from(rest.iter().take_while(|word| word.starts_with(['/', '"'])).count()),
            ("mise" | "rtx", "exec" | "x")
            | ("op" | "doppler" | "infisical" | "dotenvx", "run")
            | ("dotenv", _)
            | ("aws-vault" | "chamber", "exec") => match rest.iter().position(|word| *word == "--") {
                Some(at) => from(at + 1),
                None => break,
            },
            ("fnm", "exec") => from(1 + flags(rest.get(1..).unwrap_or_default(), &["--using"])),
            ("volta", "run") => from(1 + flags(rest.get(1..).unwrap_or_default(), &["--node", "--npm", "--yarn"])),
            ("asdf" | "nodenv" | "pyenv" | "poetry" | "pdm" | "pipenv", "exec" | "run") => from(1),
            ("direnv", "exec") => from(2),
            ("nix", "shell" | "develop") => match rest.iter().position(|word| matches!(*word, "-c" | "--command")) {
                Some(at) => from(at + 1),
                None => break,
            },
            _ => break,
        };
        words = next;
    }
    words
}

/// What `env` starts: behind flags and variables, or in the one word that it takes apart.
fn env<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let mut at = 0;
    while let Some(word) = rest.get(at).copied() {
        let attached = word.strip_prefix("--split-string=").or_else(|| word.strip_prefix("-S"));
        let line = match (word, attached) {
            ("-S" | "-iS" | "-vS" | "--split-string", _) => rest.get(at + 1).map(|line| (*line, at + 2)),
            (_, Some(line)) => Some((line, at + 1)),
            _ => None,
        };
        if let Some((line, behind)) = line {
            let words = words(line).into_iter();
            return words.chain(rest.get(behind..).unwrap_or_default().iter().copied()).collect();
        }
        at += match word {
            "-u" | "--unset" | "-C" | "--chdir" => 2,
            _ if word.starts_with('-') || word.contains('=') => 1,
            _ => break,
        };
    }
    rest.get(at..).unwrap_or_default().to_vec()
}

/// Words, or the words of the one that is a line.
fn one_line<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    match rest {
        [line] => words(line),
        rest => rest.to_vec(),
    }
}

/// The name and the value of `NAME=value`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

/// The words of a line, without the quotes around them.
pub(super) fn words(line: &str) -> Vec<&str> {
    taken_apart(line, |_| false).into_iter().flatten().collect()
}

/// The commands of a line of a shell, each in words without the quotes around them.
pub(super) fn commands(line: &str) -> Vec<Vec<&str>> {
    taken_apart(line, |c| matches!(c, ';' | '&' | '|' | '\n' | '(' | ')' | '`'))
}

fn taken_apart(line: &str, ends_command: impl Fn(char) -> bool) -> Vec<Vec<&str>> {
    /// How much of a line is looked at, in bytes.
    const MAX_LINE: usize = 16 * 1024;
    let mut all = Vec::new();
    let mut command: Vec<&str> = Vec::new();
    let mut end = line.len().min(MAX_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = line.get(..end).unwrap_or_default();
    let (mut start, mut quote, mut is_escaped) = (None, None, false);
    let word = |from: Option<usize>, to: usize| {
        let word = from.and_then(|from| line.get(from..to))?;
        Some(word.trim_matches(['"', '\'']))
    };
    for (at, c) in line.char_indices() {
        let was_escaped = std::mem::take(&mut is_escaped);
        if quote.is_none() && !was_escaped && (c.is_whitespace() || ends_command(c)) {
            command.extend(word(start.take(), at));
            if ends_command(c) {
                all.push(std::mem::take(&mut command));
            }
            continue;
        }
        start.get_or_insert(at);
        // In a path of Windows it stands before no quote and no blank.
        is_escaped = c == '\\' && !was_escaped && quote != Some('\'');
        match quote {
            _ if was_escaped => {}
            Some(open) if open == c => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    command.extend(word(start, line.len()));
    all.push(command);
    all.retain(|command| !command.is_empty());
    all
}

/// How many words are flags, those with a value of their own included.
fn flags(words: &[&str], valued: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += if valued.contains(word) { 2 } else { 1 };
    }
    at.min(words.len())
}

/// What a command starts, where it takes it from elsewhere. `words` are the program and its arguments.
pub(super) fn started<'a>(words: &[&'a str]) -> Vec<Started<'a>> {
    /// How many shells are looked into, one within the other.
    const SHELLS: usize = 4;
    started_within(words, SHELLS)
}

fn started_within<'a>(words: &[&'a str], shells: usize) -> Vec<Started<'a>> {
    let Some((program, args)) = words.split_first() else { return Vec::new() };
    let program = base_name(program);
    let first = args.first().copied().unwrap_or_default();
    let behind = |count: usize| args.get(count..).unwrap_or_default();
    match (program.as_str(), first) {
        ("npx" | "bunx" | "pnpx", _) => npm(args),
        ("npm" | "pnpm", "exec" | "x") | ("pnpm" | "yarn", "dlx") => npm(behind(1)),
        ("uvx", _) | ("pipx", "run") => python(if program == "uvx" { args } else { behind(1) }),
        ("uv", "tool") if args.get(1) == Some(&"run") => python(behind(2)),
        ("uv", "run") => with(behind(1)),
        ("docker" | "podman" | "nerdctl", _) => {
            let own = flags(args, &["--context", "-c", "-H", "--host", "--config", "-l", "--log-level"]);
            let run = args.iter().skip(own).take(2).position(|word| *word == "run");
            run.and_then(|run| image(behind(own + run + 1))).into_iter().collect()
        }
        ("sh" | "bash" | "zsh" | "dash" | "ash" | "fish" | "ksh" | "su" | "runuser", _) => {
            let script = args.iter().copied().skip_while(|word| !is_short_flag(word, 'c')).nth(1);
            script.map_or_else(Vec::new, |script| of_script(script, shells))
        }
        ("powershell" | "pwsh", _) => {
            let is_command = |word: &&str| matches!(word.to_ascii_lowercase().as_str(), "-c" | "-command" | "/c");
            let at = args.iter().position(is_command).map_or(args.len(), |at| at + 1);
            match behind(at) {
                [script] => of_script(script, shells),
                words => started_within(&unwrapped(words), shells.saturating_sub(1)),
            }
        }
        ("nix-shell", _) => {
            let script = args.iter().copied().skip_while(|word| !matches!(*word, "--run" | "--command")).nth(1);
            script.map_or_else(Vec::new, |script| of_script(script, shells))
        }
        // npx by the file that it is.
        ("node" | "bun", _) => match args.iter().position(|word| !word.starts_with('-')) {
            Some(at) if args.get(at).is_some_and(|file| base_name(file) == "npx-cli.js") => npm(behind(at + 1)),
            _ if (program.as_str(), first) == ("bun", "x") => npm(behind(1)),
            _ => Vec::new(),
        },
        ("go", "run") => go(behind(1)).into_iter().collect(),
        ("deno", "run") => deno(behind(1)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What the commands of a script start.
fn of_script(script: &str, shells: usize) -> Vec<Started<'_>> {
    if shells == 0 {
        return Vec::new();
    }
    let mut all = Vec::new();
    for started in commands(script).iter().flat_map(|words| started_within(&unwrapped(words), shells - 1)) {
        if !all.contains(&started) {
            all.push(started);
        }
    }
    all
}

/// Whether a word is a flag of one letter, or several in one, with this letter.
pub(super) fn is_short_flag(word: &str, flag: char) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains(flag)
}

/// The value of a flag that is written in one word or two, and how many words it took.
fn flag_value<'a>(args: &[&'a str], at: usize, names: &[&str]) -> Option<(&'a str, usize)> {
    let word = *args.get(at)?;
    if names.contains(&word) {
        return Some((args.get(at + 1)?, 2));
    }
    let (name, value) = word.split_once('=')?;
    names.contains(&name).then_some((value, 1))
}

/// Runners of packages of npm: flags, then the package.
fn npm<'a>(args: &[&'a str]) -> Vec<Started<'a>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(word) = args.get(at).copied() {
        if let Some((package, took)) = flag_value(args, at, &["-p", "--package"]) {
            all.extend(npm_package(package));
            at += took;
        } else if let Some((_, took)) =
            flag_value(args, at, &["--registry", "--cache", "--prefix", "--userconfig", "-c", "--call"])
        {
            at += took;
        } else if word.starts_with('-') {
            at += 1;
        } else {
            // With `-p` the word is a program of that package.
            if all.is_empty() {
                all.extend(npm_package(word));
            }
            break;
        }
    }
    all
}

fn npm_package(spec: &str) -> Option<Started<'_>> {
    if has_variable(spec) || spec.starts_with(['.', '/', '~']) || spec.starts_with("file:") || spec.contains('\\') {
        return None;
    }
    let is_source = spec.contains("://")
        || ["git+", "github:", "gitlab:", "bitbucket:", "git@"].iter().any(|begins| spec.starts_with(begins));
    let is_short = !spec.starts_with('@') && spec.matches('/').count() == 1;
    if is_source || is_short {
        return Some(Started::Source {
            name: spec,
            is_pinned: spec.rsplit_once('#').is_some_and(|(_, revision)| is_commit(revision)),
        });
    }
    let at = spec.get(1..)?.find('@').map(|at| at + 1);
    let (name, version) = at.map_or((spec, None), |at| (spec.get(..at).unwrap_or(spec), spec.get(at + 1..)));
    // With fewer than three numbers it is a range.
    let is_exact = |version: &&str| {
        is_version(version) && version.split(['-', '+']).next().unwrap_or_default().matches('.').count() >= 2
    };
    Some(Started::Package { name, version: version.filter(is_exact) })
}

/// Runners of packages of PyPI: flags, then the package or a program of the one that `--from` names.
fn python<'a>(args: &[&'a str]) -> Vec<Started<'a>> {
    let mut all = with(args);
    let mut at = 0;
    let mut has_from = false;
    while let Some(word) = args.get(at).copied() {
        if let Some((package, took)) = flag_value(args, at, &["--from", "--spec"]) {
            all.extend(python_package(package));
            has_from = true;
            at += took;
        } else if let Some((_, took)) = flag_value(args, at, VALUED_BY_UV) {
            at += took;
        } else if word.starts_with('-') {
            at += 1;
        } else {
            if !has_from {
                all.extend(python_package(word));
            }
            break;
        }
    }
    all
}

const VALUED_BY_UV: &[&str] = &[
    "--with",
    "-w",
    "--with-requirements",
    "--with-editable",
    "--python",
    "-p",
    "--index-url",
    "-i",
    "--index",
    "--default-index",
    "--extra-index-url",
    "--find-links",
    "-f",
    "--env-file",
    "--directory",
    "--project",
    "--cache-dir",
    "--constraints",
    "-c",
    "--overrides",
    "--config-file",
    "--color",
    "--resolution",
    "--prerelease",
    "--exclude-newer",
    "--pip-args",
];

/// What `--with` adds to a run.
fn with<'a>(args: &[&'a str]) -> Vec<Started<'a>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(word) = args.get(at).copied() {
        if let Some((packages, took)) = flag_value(args, at, &["--with"]) {
            all.extend(packages.split(',').filter_map(python_package));
            at += took;
        } else if let Some((_, took)) = flag_value(args, at, VALUED_BY_UV) {
            at += took;
        } else if word.starts_with('-') {
            at += if word == "--from" { 2 } else { 1 };
        } else {
            break;
        }
    }
    all
}

fn python_package(spec: &str) -> Option<Started<'_>> {
    if has_variable(spec) || spec.starts_with(['.', '/', '~']) || spec.ends_with(".whl") || spec.contains('\\') {
        return None;
    }
    if spec.contains("://") {
        let bare = spec.split('#').next().unwrap_or(spec);
        let path = bare.split_once("://").map_or(bare, |(_, path)| path);
        // A `@` before the first slash is a user's.
        let revision = path.split_once('/').and_then(|(_, path)| path.rsplit_once('@')).map(|(_, revision)| revision);
        return Some(Started::Source { name: spec, is_pinned: revision.is_some_and(is_commit) });
    }
    let name = spec.split(['[', '=', '<', '>', '~', '!', '@', ' ', ';']).next().unwrap_or(spec);
    let version = spec.split_once("==").or_else(|| spec.split_once('@')).map(|(_, version)| version.trim());
    Some(Started::Package { name, version: version.filter(|version| is_version(version)) })
}

/// Flags of `docker run` that stand alone; each other one has a value.
const BOOLEAN_IN_DOCKER: &[&str] = &[
    "--rm",
    "--init",
    "--detach",
    "--interactive",
    "--tty",
    "--privileged",
    "--read-only",
    "--publish-all",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--sig-proxy",
    "--disable-content-trust",
    "--quiet",
    "--replace",
];

fn image<'a>(args: &[&'a str]) -> Option<Started<'a>> {
    let mut at = 0;
    while let Some(word) = args.get(at).copied() {
        let is_flag = word.starts_with('-');
        if !is_flag {
            return image_name(word);
        }
        let is_alone = word.contains('=')
            || BOOLEAN_IN_DOCKER.contains(&word)
            || (!word.starts_with("--") && word.bytes().skip(1).all(|byte| b"itdPq".contains(&byte)));
        at += if is_alone { 1 } else { 2 };
    }
    None
}

fn image_name(name: &str) -> Option<Started<'_>> {
    if has_variable(name) {
        return None;
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let is_pinned = name.contains("@sha256:")
        || tag.is_some_and(|tag| {
            // One number alone, and a word, move.
            let has_digit = tag.contains(|c: char| c.is_ascii_digit());
            has_digit && tag.contains('.') || is_commit(tag)
        });
    Some(Started::Image { name, is_pinned })
}

fn go<'a>(args: &[&'a str]) -> Option<Started<'a>> {
    let package = args.iter().copied().find(|word| !word.starts_with('-'))?;
    if package.starts_with(['.', '/']) || !package.contains('.') || package.ends_with(".go") {
        return None;
    }
    let (name, version) = package.split_once('@').map_or((package, None), |(name, version)| (name, Some(version)));
    let version = version
        .map(|version| version.trim_start_matches('v'))
        .filter(|version| is_version(version) || is_commit(version));
    Some(Started::Package { name, version })
}

fn deno<'a>(args: &[&'a str]) -> Option<Started<'a>> {
    let script = args.iter().copied().find(|word| !word.starts_with('-'))?;
    if let Some(package) = script.strip_prefix("npm:").or_else(|| script.strip_prefix("jsr:")) {
        return npm_package(package);
    }
    let is_address = script.starts_with("https://") || script.starts_with("http://");
    is_address.then(|| Started::Source { name: script, is_pinned: script.contains('@') })
}

/// Whether it names exactly one version.
fn is_version(version: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'!');
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    version.bytes().all(is_part)
        && numbers.starts_with(|c: char| c.is_ascii_digit())
        && numbers.contains('.')
        && !numbers.contains('x')
}

fn is_commit(revision: &str) -> bool {
    (7..=64).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn has_variable(text: &str) -> bool {
    text.contains("${") || text.contains("{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is started, in short: `name version` or `name !` where it is not pinned.
    fn short(line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let short = |started: &Started<'_>| match started {
            Started::Package { name, version } => format!("{name} {}", version.unwrap_or("!")),
            Started::Image { name, is_pinned } | Started::Source { name, is_pinned } => {
                format!("{name} {}", if *is_pinned { "ok" } else { "!" })
            }
        };
        started(&unwrapped(&words)).iter().map(short).collect()
    }

    #[test]
    fn packages_and_their_versions_are_read() {
        for (line, expected) in [
            ("npx -y @a/server", "@a/server !"),
            ("npx -y @a/server@1.2.3 /x", "@a/server 1.2.3"),
            ("/usr/bin/npx server@latest", "server !"),
            ("npx server@^1.2.3", "server !"),
            ("npx server@1", "server !"),
            ("npx -p tool@2.0.0 bin", "tool 2.0.0"),
            ("npx --package=tool bin@1.0.0", "tool !"),
            ("npx.cmd -y server@2026.8.31", "server 2026.8.31"),
            ("cmd /c npx -y server", "server !"),
            ("env A=b npx -y server@1.0.0-beta.1", "server 1.0.0-beta.1"),
            ("pnpm dlx server", "server !"),
            ("bun x server@1.0.0", "server 1.0.0"),
            ("npx github:o/r", "github:o/r !"),
            ("npx o/r#0123abc", "o/r#0123abc ok"),
            ("uvx mcp-server-git", "mcp-server-git !"),
            ("uvx mcp-server-git@2026.10.19 --repository .", "mcp-server-git 2026.10.19"),
            ("uvx --from mcp-server-git==2026.10.19 mcp-server-git", "mcp-server-git 2026.10.19"),
            ("uvx --python 3.12 server", "server !"),
            ("uvx --from git+https://h/r srv", "git+https://h/r !"),
            ("uvx --from git+https://u@h/r@0123456789abcdef srv", "git+https://u@h/r@0123456789abcdef ok"),
            ("uvx server>=1.0", "server !"),
            ("uv tool run server[all]==1.2", "server 1.2"),
            ("pipx run server==1.2.3", "server 1.2.3"),
            ("uv run --with server main.py", "server !"),
            ("docker run -i --rm -e KEY -v /a:/b mcp/server", "mcp/server !"),
            ("docker run -i --rm --mount type=bind,src=/a,dst=/b mcp/server:1.2", "mcp/server:1.2 ok"),
            ("docker run -it --name=x host:5000/mcp/server:latest a:b", "host:5000/mcp/server:latest !"),
            ("podman run --rm s@sha256:00", "s@sha256:00 ok"),
            ("docker --context c run s:1", "s:1 !"),
            ("docker container run s:stable", "s:stable !"),
            ("sudo -u bob npx s@1.2", "s !"),
            ("timeout 30 nice -n 5 npx s@1.2.3", "s 1.2.3"),
            ("env -u A B=c npx s", "s !"),
            ("doas -u bob npx s", "s !"),
            ("mise exec node@22 -- npx s", "s !"),
            ("mise x -- uvx s==1.2", "s 1.2"),
            ("fnm exec --using=22 npx s", "s !"),
            ("op run --env-file=.env -- npx s", "s !"),
            ("direnv exec . npx s", "s !"),
            ("corepack pnpm dlx s@1.2.3", "s 1.2.3"),
            ("nix shell nixpkgs#nodejs -c npx s", "s !"),
            ("wsl -d Ubuntu npx s", "s !"),
            ("cmd /d /s /c npx s", "s !"),
            ("cmd.exe /C start /b npx s", "s !"),
            ("A=b npx s", "s !"),
            ("node /usr/lib/node_modules/npm/bin/npx-cli.js -y s", "s !"),
            ("powershell -NoProfile -Command npx -y s", "s !"),
            ("go run example.com/srv@latest", "example.com/srv !"),
            ("go run example.com/srv@v1.2.3", "example.com/srv 1.2.3"),
            ("deno run -A npm:server@1.2.3", "server 1.2.3"),
            ("deno run -A https://h/x.ts", "https://h/x.ts !"),
        ] {
            assert_eq!(short(line), [expected], "{line}");
        }
    }

    #[test]
    fn what_is_here_already_is_not_started_from_elsewhere() {
        for line in [
            "npx ./server",
            "node server.js",
            "uv run server.py",
            "uv --directory /x run s",
            "python -m server",
            "npx ${PKG}",
            "go run ./cmd",
            "docker ps",
            "mise exec node@22",
            "poetry run server",
            "node npx.js s",
            "npx",
        ] {
            assert_eq!(short(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn scripts_of_a_shell_are_read() {
        for words in [
            &["sh", "-c", "exec npx -y s"][..],
            &["bash", "--norc", "-lc", "source ~/.nvm/nvm.sh && npx -y s"],
            &["bash", "-c", "cd /x; if true; then A=b npx -y 's'; fi"],
            &["bash", "-c", "bash -c 'npx s'"],
            &["zsh", "-ic", "npx -y s || npx -y s"],
            &["env", "-S", "npx s"],
            &["env", "A=b", "-S", "bash -c \"npx s\""],
            &["env", "--split-string=npx", "s"],
            &["cmd", "/c", "npx -y s"],
            &["pwsh", "-c", "& npx s"],
            &["su", "bob", "-c", "npx s"],
            &["nix-shell", "-p", "nodejs", "--run", "npx s"],
        ] {
            assert_eq!(started(&unwrapped(words)), [Started::Package { name: "s", version: None }], "{words:?}");
        }
    }

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(commands("a 'b c' && d \"e;f\"|g\\ h"), [vec!["a", "b c"], vec!["d", "e;f"], vec!["g\\ h"]]);
        assert_eq!(words("npx -y \"s@1.2.3\" a&b"), ["npx", "-y", "s@1.2.3", "a&b"]);
        assert_eq!(words(""), Vec::<&str>::new());
    }

    #[test]
    fn packages_that_are_added_are_read_too() {
        assert_eq!(short("uvx --with mcp==1.2.3,x --from s==1.0.0 s"), ["mcp 1.2.3", "x !", "s 1.0.0"]);
    }
}
