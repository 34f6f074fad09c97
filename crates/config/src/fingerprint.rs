//! What tells one state of an entry from another.

use bowline_protocol::hex;
use sha2::{Digest as _, Sha256};

use crate::model::{Auth, Remote, Server, Stdio, Transport};
use crate::settings::Pool;
use crate::template::{Part, Template};

impl Server {
    /// What is the same as long as the entry means the same, and nothing else than that can be told from it.
    ///
    /// It covers all that the server is reached and used with, texts with their variables as they are written. It does
    /// not cover where the entry stands, what has no meaning here, and what the variables stand for. A policy is
    /// covered by its name alone.
    ///
    /// ```
    /// use bowline_config::{Configuration, Host};
    ///
    /// let server = |text: &str| {
    ///     let text = format!(r#"{{"mcpServers":{{"a":{{"command":"srv","args":["{text}"]}}}}}}"#);
    ///     Configuration::read(Host::Generic, "mcp.json", &text).server("a").map(|server| server.fingerprint())
    /// };
    /// assert_eq!(server("${X}")?, server("${X}")?);
    /// assert_ne!(server("${X}")?, server("${Y}")?);
    /// # Ok::<(), bowline_config::Error>(())
    /// ```
    pub fn fingerprint(&self) -> String {
        // Whoever adds a member says here whether it counts.
        let Self {
            name,
            host: _,
            scope,
            place,
            transport,
            enabled,
            trusted,
            timeouts,
            tools,
            prompts,
            resources,
            trust,
            auth,
            pool,
            layers,
            policy,
            extra: _,
        } = self;
        let mut print = Print(Sha256::new());
        // Variables may name files beside the one that they stand in, and commands run for some scopes alone.
        print.text(&place.file.to_string_lossy());
        print.text(&format!("{name:?} {scope:?} {enabled} {trusted} {timeouts:?} {tools:?} {layers:?} {policy:?}"));
        print.text(&format!("{prompts:?} {resources:?} {trust:?}"));
        match transport {
            Transport::Stdio(stdio) => print.program(stdio),
            Transport::Remote(remote) => print.remote(remote),
        }
        print.auth(auth);
        print.pool(pool.as_ref());
        print.end()
    }
}

struct Print(Sha256);

impl Print {
    /// Lengths go before, so that no two rows of texts come to the same.
    fn text(&mut self, text: &str) {
        self.0.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn template(&mut self, template: &Template) {
        self.text(&template.parts().len().to_string());
        for part in template.parts() {
            match part {
                Part::Text(text) => self.text(text),
                Part::Variable(variable) => {
                    let default = variable.fallback().map_or_else(|| "none".to_owned(), |text| format!("some {text}"));
                    self.text(&format!("variable {:?} {}", variable.source, variable.optional));
                    self.text(&variable.name);
                    self.text(&default);
                }
            }
        }
    }

    fn optional(&mut self, template: Option<&Template>) {
        self.text(if template.is_some() { "some" } else { "none" });
        if let Some(template) = template {
            self.template(template);
        }
    }

    fn pairs(&mut self, pairs: &[(String, Template)]) {
        self.text(&pairs.len().to_string());
        for (name, template) in pairs {
            self.text(name);
            self.template(template);
        }
    }

    fn program(&mut self, Stdio { command, args, env, env_file, cwd }: &Stdio) {
        self.text("program");
        self.template(command);
        self.text(&args.len().to_string());
        for arg in args {
            self.template(arg);
        }
        self.pairs(env);
        self.optional(env_file.as_ref());
        self.optional(cwd.as_ref());
    }

    fn remote(&mut self, Remote { url, way, headers, bearer }: &Remote) {
        self.text(&format!("remote {way:?}"));
        self.template(url);
        self.pairs(headers);
        self.optional(bearer.as_ref());
    }

    fn auth(&mut self, auth: &Auth) {
        let Auth { oauth, client_id, client_secret, scopes, metadata_url, redirect_uri, callback_port } = auth;
        self.text(&format!("{oauth:?} {scopes:?} {metadata_url:?} {redirect_uri:?} {callback_port:?}"));
        self.optional(client_id.as_ref());
        self.optional(client_secret.as_ref());
    }

    fn pool(&mut self, pool: Option<&Pool>) {
        let Some(Pool { connections, replicas, sticky }) = pool else { return self.text("no pool") };
        self.text(&format!("{connections} {sticky} {}", replicas.len()));
        for replica in replicas {
            self.text(&replica.weight.to_string());
            self.template(&replica.url);
        }
    }

    fn end(self) -> String {
        let digest = self.0.finalize();
        hex(digest.get(..16).unwrap_or(&digest))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::{Configuration, Host};

    fn print(text: &str) -> String {
        let config = Configuration::read(Host::Bowline, "bowline.toml", text);
        config.server("a").unwrap_or_else(|error| panic!("{text}: {error}")).fingerprint()
    }

    #[test]
    fn whatever_an_entry_says_tells_it_from_others_and_where_it_stands_does_not() {
        let program = "[servers.a]\ncommand = 'srv'\n";
        let remote = "[servers.a]\nurl = 'https://h/mcp'\n";
        let policies = "[policies.p]\nread_only = true\n[policies.q]\n";
        let changed: Vec<String> = [
            "args = ['x']",
            "args = ['x', '']",
            "args = ['${X}']",
            "args = ['$${X}']",
            "args = ['${X:-}']",
            "args = ['${file:X}']",
            "env = { X = 'y' }",
            "env = { X = '${y}' }",
            "env_file = 'x'",
            "cwd = 'x'",
            "enabled = false",
            "timeout = '1s'",
            "max_time = '100s'",
            "tools = { deny = ['x'] }",
            "tools = { approve = ['x'] }",
            "layers = { retry = true }",
            "layers = { retry = { max_attempts = 2 } }",
            "policy = 'p'",
            "policy = 'q'",
        ]
        .iter()
        .map(|line| format!("{program}{line}\n{policies}"))
        .chain(
            [
                "",
                "type = 'sse'",
                "headers = { X = 'y' }",
                "bearer = 'y'",
                "bearer = 'z'",
                "oauth = { client_id = 'x' }",
                "oauth = { scopes = ['x'] }",
                "pool = { connections = 2 }",
                "pool = { connections = 2, sticky = true }",
                "pool = { connections = 2, replicas = [{ url = 'https://i/mcp' }] }",
                "pool = { connections = 2, replicas = [{ url = 'https://i/mcp', weight = 2 }] }",
            ]
            .iter()
            .map(|line| format!("{remote}{line}\n")),
        )
        .chain([program.to_owned()])
        .collect();
        let prints: HashSet<String> = changed.iter().map(|text| print(text)).collect();
        assert_eq!(prints.len(), changed.len());
        assert_eq!(print(program), print(&format!("# moved\n\n{program}[servers.b]\ncommand = 'x'\n")));
    }
}
