//! What names the way to a configured server.

use bowline_config::{Server, Stdio, Transport};
use bowline_guard::Way;

/// What names the way to a server, for pins: its command line or address as the entry has it, without secrets, and with
/// variables as their names; the folder and the environment that it is started with, and the replicas of its pool
/// ([`Way`]).
pub fn identity(server: &Server) -> String {
    let way = match &server.transport {
        Transport::Stdio(program) => way_to_program(program),
        _ => Way::of_address(&earlier_identity(server)),
    };
    let replicas = server.pool.iter().flat_map(|pool| &pool.replicas);
    replicas.fold(way, |way, replica| way.or(replica.shown_url())).to_string()
}

fn way_to_program(program: &Stdio) -> Way {
    let way = Way::of_program(std::iter::once(program.shown_command()).chain(program.shown_args()));
    let way = match &program.cwd {
        Some(folder) => way.folder(folder.shown()),
        None => way,
    };
    let way = program.env.iter().fold(way, |way, (name, value)| way.variable(name, &value.shown()));
    match &program.env_file {
        Some(file) => way.variables_of(file.shown()),
        None => way,
    }
}

/// What lock files of format 1 name the way to a server by: the command line or the address alone
/// ([`GuardLayer::earlier_identity`](bowline_guard::GuardLayer::earlier_identity)). A command with its arguments in one line
/// is in it as that format has it, with the secrets in it: it is to be compared, not shown.
pub fn earlier_identity(server: &Server) -> String {
    match &server.transport {
        Transport::Stdio(program) => {
            let words: Vec<String> = std::iter::once(program.command.shown()).chain(program.shown_args()).collect();
            words.join(" ")
        }
        Transport::Remote(remote) => remote.shown_url(),
        _ => server.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use bowline_config::{Configuration, Host};

    use super::*;

    fn of(text: &str) -> (String, String) {
        let config = Configuration::read(Host::Bowline, "bowline.toml", text);
        let server = config.server("a").unwrap();
        (identity(server), earlier_identity(server))
    }

    #[test]
    fn folder_environment_and_replicas_name_the_way_and_secrets_do_not() {
        let (plain, earlier) = of("[servers.a]\ncommand = \"npx\"\nargs = [\"files\"]");
        assert_eq!((plain.as_str(), earlier.as_str()), ("npx files", "npx files"));
        let with = |env: &str| of(&format!("[servers.a]\ncommand = \"npx\"\nargs = [\"files\"]\ncwd = \"/x\"\n{env}"));
        let (one, earlier) = with("env = { NODE_OPTIONS = \"a\", API_TOKEN = \"hunter2\" }");
        assert!(one.starts_with("npx files; in /x; with API_TOKEN, NODE_OPTIONS ("), "{one}");
        assert_eq!(earlier, "npx files");
        assert_eq!(one, with("env = { NODE_OPTIONS = \"a\", API_TOKEN = \"letmein\" }").0);
        assert_ne!(one, with("env = { NODE_OPTIONS = \"--require x\", API_TOKEN = \"hunter2\" }").0);
        let (one_line, earlier) = of("[servers.a]\ncommand = \"npx -y pkg --token=t0p\"");
        assert!(!one_line.contains("t0p"), "{one_line}");
        assert_eq!(earlier, "npx -y pkg --token=t0p");
        let (pool, _) =
            of("[servers.a]\nurl = \"https://h/mcp\"\npool = { replicas = [{ url = \"https://u:pw@i/mcp?k=v\" }] }");
        assert!(pool.starts_with("https://h/mcp; or https://") && !pool.contains("pw"), "{pool}");
    }
}
