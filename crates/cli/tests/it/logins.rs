//! Logins: `bowline auth`, and servers that want one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bowline_testkit::authority::{AuthServer, AuthSettings, Client, Iss, ProtectedServer, ProtectedSettings};
use bowline_testkit::demo;
use tokio::runtime::Runtime;

use crate::run::{Ran, command};
use crate::terminal::typed;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The demo server behind tokens, and a folder for what the command keeps.
struct World {
    auth: AuthServer,
    server: ProtectedServer,
    folder: PathBuf,
    _runtime: Runtime,
}

impl World {
    fn new(auth: AuthSettings) -> Self {
        let runtime = Runtime::new().unwrap();
        let (auth, server) = runtime.block_on(async {
            let auth = auth.start().await.unwrap();
            let server = auth.protect(demo::server(), ProtectedSettings::default()).await.unwrap();
            (auth, server)
        });
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("logins-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { auth, server, folder, _runtime: runtime }
    }

    /// The command with these words, `URL` for the server's own.
    fn command(&self, words: &[&str]) -> Command {
        let url = self.server.url();
        let words: Vec<_> = words.iter().map(|word| if *word == "URL" { url.as_str() } else { word }).collect();
        let mut command = command(&words);
        command.env("BOWLINE_STATE_DIR", self.folder.join("state"));
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.command(words).output().unwrap().into()
    }

    /// Runs the command with a browser that nobody sits at.
    fn run_with_browser(&self, words: &[&str]) -> Ran {
        let (program, browser) = self.browser();
        let ran: Ran = self.command(words).env("BOWLINE_BROWSER", program).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let page = browser.join().unwrap();
        assert!(page.contains("Answer received"), "{page}");
        ran
    }

    /// A program that hands its URL to a thread, which follows it to its end; the last page comes of it.
    fn browser(&self) -> (PathBuf, JoinHandle<String>) {
        let (script, pipe) = (self.folder.join("browser"), self.folder.join("pipe"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::write(&script, format!("#!/bin/sh\nprintf '%s' \"$1\" >'{}'\n", pipe.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        let follow = std::thread::spawn(move || {
            let url = std::fs::read_to_string(&pipe).unwrap();
            std::fs::remove_file(pipe).unwrap();
            get(&back(&url))
        });
        (script, follow)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The whole answer to a GET of an address of this machine.
fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where the page of the authorization server sends back to.
fn back(url: &str) -> String {
    let answer = get(url);
    answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_login_is_kept_for_other_commands_refreshed_and_given_up() {
    let world = World::new(AuthSettings::default());
    let ran = world.run(&["call", "URL", "echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    let hint = format!("hint: log in with `bowline auth login {}`", world.server.url());
    assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
    assert_eq!(world.run(&["auth", "status", "URL"]).code, Some(3));

    let ran = world.run_with_browser(&["auth", "login", "URL", "--scope", "read", "--scope", "write"]);
    assert!(ran.stdout.starts_with(&format!("logged in to {}\n", world.server.url())), "{}", ran.stdout);
    assert!(ran.stdout.contains("scopes: read write\n") && ran.stdout.contains("renewed by itself"), "{}", ran.stdout);

    let ran = world.run(&["call", "URL", "echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "hi\n", ""));
    let status = world.run(&["auth", "status", "URL", "--json"]).json();
    assert_eq!((&status["authorized"], &status["issuer"]), (&true.into(), &world.auth.issuer().into()));
    assert_eq!(status["scopes"], serde_json::json!(["read", "write"]));
    assert!(status["expiresIn"].as_u64().unwrap() > 3_000, "{status}");

    assert_eq!(world.run(&["auth", "refresh", "URL"]).code, Some(0));
    assert_eq!(world.auth.counts().refreshes, 1);
    // A token that the server does not take any more is renewed by whatever command meets that.
    world.auth.expire_tokens();
    assert_eq!(world.run(&["call", "URL", "echo", "message=hi"]).stdout, "hi\n");
    assert_eq!((world.auth.counts().refreshes, world.auth.counts().codes), (2, 1));

    let ran = world.run(&["auth", "logout", "URL"]);
    assert_eq!((ran.code, ran.stdout), (Some(0), format!("logged out of {}\n", world.server.url())), "{}", ran.stderr);
    assert!(world.auth.counts().revocations >= 1);
    assert_eq!(world.run(&["call", "URL", "echo", "message=hi"]).code, Some(3));
    let ran = world.run(&["auth", "status", "URL", "--json"]);
    assert_eq!((ran.code, &ran.json()["authorized"]), (Some(3), &false.into()));
    assert!(world.run(&["auth", "logout", "URL"]).stdout.starts_with("was not logged in"));
}

#[test]
fn on_a_terminal_a_command_asks_whether_to_log_in_and_goes_on() {
    let world = World::new(AuthSettings::default());
    let (program, browser) = world.browser();
    let mut command = world.command(&["call", "URL", "echo", "message=hi"]);
    command.env("BOWLINE_BROWSER", program);
    // Up from `decline`, since a page on this machine is warned of.
    let ran = typed(command, &[("Visit it?", ""), ("decline", "\x1b[A\x1b[A\r")]);
    let shown = ran.stderr;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{shown}");
    assert!(shown.contains("A login is wanted") && shown.contains("host: "), "{shown}");
    assert!(browser.join().unwrap().contains("Answer received"));
    assert_eq!(world.run(&["call", "URL", "echo", "message=hi"]).stdout, "hi\n", "the login is kept");
}

#[test]
fn without_a_browser_the_url_is_shown_and_waited_at() {
    let world = World::new(AuthSettings::default());
    let mut child = world.command(&["auth", "login", "URL", "--no-browser"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let shown = lines.find_map(|line| line.trim().strip_prefix("url:").map(|url| url.trim().to_owned())).unwrap();
    assert!(get(&back(&shown)).contains("Answer received"));
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.starts_with("logged in to"), "{}", ran.stdout);
}

#[test]
fn without_a_browser_here_the_address_that_it_ends_at_is_pasted() {
    let world = World::new(AuthSettings::default());
    let mut command = world.command(&["auth", "login", "URL", "--no-browser", "--json"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let shown = lines.find_map(|line| line.trim().strip_prefix("url:").map(|url| url.trim().to_owned())).unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "\n{}", back(&shown)).unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, &ran.json()["authorized"]), (Some(0), &true.into()));
}

#[test]
fn another_device_is_sent_to_a_page_with_a_code() {
    let world = World::new(AuthSettings::default().device_interval(0));
    let mut child = world.command(&["auth", "login", "URL", "--device"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let shown = lines.find_map(|line| line.trim().strip_prefix("url:").map(|url| url.trim().to_owned())).unwrap();
    assert!(lines.any(|line| line.contains("code: KNOT-0001")));
    assert!(get(&shown).contains("go back to your device"));
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.starts_with("logged in to"), "{}", ran.stdout);
}

#[test]
fn case_auth_004_what_a_login_is_lenient_about_is_said_and_kept_with_it() {
    let settings = AuthSettings::default().metadata("issuer", "{issuer}/").iss(Iss::Absent).advertise_iss(false);
    let world = World::new(settings);
    let ran = world.run(&["auth", "login", "URL"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("--lenient-issuer-slash"), "{}", ran.stderr);
    world.run_with_browser(&["auth", "login", "URL", "--lenient-issuer-slash"]);
    // A refresh looks for the issuer again.
    world.auth.expire_tokens();
    let ran = world.run(&["call", "URL", "echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    assert_eq!(world.auth.counts().refreshes, 1);
}

#[test]
fn an_id_and_its_secret_are_kept_with_the_login() {
    let client = Client::secret_basic("desk", "s3cret-hunter2").redirect("http://127.0.0.1:47113/callback");
    let world = World::new(AuthSettings::default().client(client).without_registration());
    let ran = world.run(&["auth", "login", "URL"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("--client-id") && ran.stderr.contains("--issuer"), "{}", ran.stderr);
    let ran = world.run(&["auth", "login", "URL", "--client-id", "desk", "--client-secret=s3cret-hunter2"]);
    assert_eq!(ran.code, Some(2));
    assert!(!ran.stderr.contains("hunter2") && ran.stderr.contains("env:VAR"), "{}", ran.stderr);
    let ran = world.run(&["auth", "login", "URL", "--client-id", "desk", "--client-secret"]);
    assert_eq!(ran.code, Some(2), "there is no terminal to ask on: {}", ran.stderr);

    let (program, browser) = world.browser();
    let words =
        ["auth", "login", "URL", "--client-id", "desk", "--client-secret=env:MY_SECRET", "--callback-port", "47113"];
    let ran: Ran = world.command(&words).env("MY_SECRET", "s3cret-hunter2").output().unwrap().into();
    assert_eq!(ran.code, Some(2), "whoever the server names would get it: {}", ran.stderr);
    assert!(ran.stderr.contains("--issuer") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    let mut command = world.command(&words);
    command.args(["--issuer", &world.auth.issuer()]);
    let ran: Ran = command.env("MY_SECRET", "s3cret-hunter2").env("BOWLINE_BROWSER", program).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    browser.join().unwrap();
    world.auth.expire_tokens();
    let ran = world.run(&["call", "URL", "echo", "message=hi", "-vv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2") && !ran.stderr.contains("access-"), "{}", ran.stderr);
    assert!(world.auth.asked().iter().filter(|asked| asked.path == "/token").all(|asked| asked.scheme == "Basic"));

    // As a login of before an issuer was asked for has left it.
    let kept = std::fs::read_dir(world.folder.join("state/auth")).unwrap().map(|entry| entry.unwrap().path());
    let mut profiles =
        kept.filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("client_secret")));
    let profile = profiles.next().unwrap();
    let text = std::fs::read_to_string(&profile).unwrap();
    let old = text.replace(&format!(r#"\"issuer\":\"{}\","#, world.auth.issuer()), "");
    assert_ne!(old, text, "{text}");
    std::fs::write(&profile, old).unwrap();
    let ran = world.run(&["call", "URL", "echo", "message=hi"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--issuer") && ran.stderr.contains("auth login"), "{}", ran.stderr);
}

#[test]
fn what_is_kept_is_for_its_owner_alone_and_encrypted_with_a_key() {
    let world = World::new(AuthSettings::default());
    for _ in 0..2 {
        let ran = world.run_with_browser(&["auth", "login", "URL"]);
        assert_eq!(ran.stderr.matches("are not encrypted").count(), 1, "each login says so: {}", ran.stderr);
    }
    let folder = world.folder.join("state/auth");
    let mut kept = String::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
        kept += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
    }
    assert!(kept.contains("refresh-"), "{kept}");
    assert!(folder.join("unencrypted").exists(), "the person was told");
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o077, 0);

    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let world = World::new(AuthSettings::default());
    let (program, browser) = world.browser();
    let mut command = world.command(&["auth", "login", "URL"]);
    let ran: Ran = command.env("BOWLINE_STORE_KEY", key).env("BOWLINE_BROWSER", program).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    browser.join().unwrap();
    for entry in std::fs::read_dir(world.folder.join("state/auth")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("refresh-"));
    }
    let mut command = world.command(&["call", "URL", "echo", "message=hi"]);
    let ran: Ran = command.env("BOWLINE_STORE_KEY", key).output().unwrap().into();
    assert_eq!(ran.stdout, "hi\n", "{}", ran.stderr);
}

#[test]
fn a_denial_ends_the_command_with_its_words() {
    let world = World::new(AuthSettings::default().deny("access_denied", "not today"));
    let (program, browser) = world.browser();
    let ran: Ran = world.command(&["auth", "login", "URL"]).env("BOWLINE_BROWSER", program).output().unwrap().into();
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("not today"), "{}", ran.stderr);
    assert!(browser.join().unwrap().contains("Not signed in"));
}

#[test]
fn a_login_is_for_servers_with_a_url() {
    let world = World::new(AuthSettings::default());
    for words in [&["auth"][..], &["auth", "login"], &["auth", "login", "my-server"], &["auth", "status", "unix:/x"]] {
        assert_eq!(world.run(words).code, Some(2), "{words:?}");
    }
}

#[test]
fn a_login_that_cannot_be_read_is_found_by_the_doctor() {
    let world = World::new(AuthSettings::default());
    world.run_with_browser(&["auth", "login", "URL"]);
    let ran = world.run(&["doctor", "URL", "--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let is_login = |finding: &serde_json::Value| finding["check"] == "login";
    let login = |ran: &Ran| ran.json()["findings"].as_array().unwrap().iter().find(|f| is_login(f)).cloned().unwrap();
    assert_eq!(login(&ran)["message"], "logged in");
    for file in std::fs::read_dir(world.folder.join("state/auth")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            std::fs::write(path, "{\"version\":1,\"te").unwrap();
        }
    }
    let ran = world.run(&["doctor", "URL", "--offline", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let found = login(&ran);
    assert_eq!(found["severity"], "error");
    assert!(found["fix"].as_str().is_some_and(|fix| fix.contains("auth login")), "{found}");
}
