//! Servers that are named by a URL.

use bowline_testkit::http::{HttpRequest, HttpServer, MockHttp, Reply};
use bowline_testkit::socket::{MockSocket, SocketMisbehaviour};
use bowline_testkit::websocket::{MockWebSocket, WebSocketMisbehaviour};
use bowline_testkit::{When, demo};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::run::{Ran, Server, bowline, command};

/// The demo server over Streamable HTTP at `/mcp` and over HTTP+SSE at `/sse`, for as long as this lives.
struct Web {
    server: HttpServer,
    _runtime: Runtime,
}

impl Web {
    fn demo() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockHttp::new(demo::server()).start()).unwrap();
        Self { server, _runtime: runtime }
    }

    fn answering(reply: impl Fn(HttpRequest) -> Reply + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(HttpServer::start(move |request| std::future::ready(reply(request)))).unwrap();
        Self { server, _runtime: runtime }
    }

    /// Runs the command against it; `URL` stands for its own.
    fn run(&self, words: &[&str]) -> Ran {
        self.run_at("/mcp", words)
    }

    fn run_at(&self, path: &str, words: &[&str]) -> Ran {
        let url = self.server.url(path);
        bowline(&words.iter().map(|word| if *word == "URL" { url.as_str() } else { word }).collect::<Vec<_>>())
    }
}

/// A port at which nobody listens.
fn refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn every_command_takes_a_url_as_its_first_word() {
    let web = Web::demo();
    let ran = web.run(&["list", "URL"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("echo(message: string)\n"), "{}", ran.stdout);
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    let ran = web.run(&["call", "URL", "add", "a=2", "b=3", "--json"]);
    assert_eq!(ran.json()["structuredContent"]["sum"], 5, "{}", ran.stderr);
    let ran = web.run(&["call", "URL", "echo", "message=hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    assert_eq!(web.run(&["info", "URL", "--json"]).json()["serverInfo"]["name"], "bowline-demo");
    assert!(web.run(&["info", "URL", "echo"]).stdout.contains("echo(message: string)"));
    assert!(web.run(&["read", "URL", "demo://log-book"]).stdout.contains("Cast off"));
    assert!(web.run(&["prompt", "URL", "review", "code=x"]).stdout.contains("Review this code"));
    assert_eq!(web.run(&["complete", "URL", "prompt:review", "language=ru"]).stdout, "rust\nruby\n");
    assert!(web.run(&["ping", "URL"]).stdout.starts_with("bowline-demo answered in "));
    let ran = web.run(&["watch", "URL", "demo://log-book", "--for", "10ms"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn list_and_call_reach_a_websocket_and_every_kind_of_socket() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let websocket = MockWebSocket::new(demo::server()).bearer_token("t0ken").start().unwrap();
    let sockets = [
        MockSocket::new(demo::server()).tcp().unwrap(),
        MockSocket::new(demo::server()).unix().unwrap(),
        #[cfg(target_os = "linux")]
        MockSocket::new(demo::server()).unix_abstract().unwrap(),
    ];
    let mut targets = vec![websocket.url("/mcp")];
    targets.extend(sockets.iter().map(|socket| socket.target().to_owned()));
    for target in &targets {
        let run = |words: &[&str]| -> Ran {
            let words = words.iter().map(|word| if *word == "URL" { target.as_str() } else { word });
            let mut words: Vec<_> = words.collect();
            if target.starts_with("ws:") {
                words.extend(["--bearer-env", "MY_TOKEN"]);
            }
            command(&words).env("MY_TOKEN", "t0ken").output().unwrap().into()
        };
        let ran = run(&["list", "URL"]);
        assert_eq!(ran.code, Some(0), "{target}: {}", ran.stderr);
        assert!(ran.stdout.starts_with("echo(message: string)\n"), "{target}: {}", ran.stdout);
        assert!(ran.stderr.is_empty(), "{target}: {}", ran.stderr);
        let ran = run(&["call", "URL", "add", "a=2", "b=3", "--json"]);
        assert_eq!(ran.json()["structuredContent"]["sum"], 5, "{target}: {}", ran.stderr);
        let ran = run(&["call", "URL", "echo", "message=hi"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{target}: {}", ran.stderr);
    }
    assert_eq!((websocket.connections(), websocket.requests().len()), (3, 3));
    assert!(sockets.iter().all(|socket| socket.connections() == 3), "{sockets:?}");
}

#[test]
fn a_websocket_that_wants_a_token_ends_with_exit_code_3() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let server = MockWebSocket::new(demo::server()).bearer_token("t0ken").start().unwrap();
    let ran = bowline(&["list", &server.url("/mcp")]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
}

#[test]
fn a_connection_that_breaks_off_is_told_by_its_name() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let vanish = WebSocketMisbehaviour::Vanish;
    let websocket = MockWebSocket::new(demo::server()).misbehave(When::method("initialize"), vanish).start().unwrap();
    let socket = MockSocket::new(demo::server()).misbehave(SocketMisbehaviour::CutAfter(30)).tcp().unwrap();
    for target in [websocket.url("/mcp").as_str(), socket.target()] {
        let ran = bowline(&["list", target]);
        assert_eq!(ran.code, Some(4), "{target}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(target), "{target}: {}", ran.stderr);
    }
}

#[test]
fn the_transport_is_found_by_itself_or_chosen() {
    let web = Web::demo();
    for (path, choice) in [
        ("/mcp", "auto"),
        ("/mcp", "http"),
        ("/mcp", "http-first"),
        ("/mcp", "sse-first"),
        ("/sse", "sse"),
        ("/sse", "sse-first"),
        ("/sse", "auto"),
    ] {
        let ran = web.run_at(path, &["call", "URL", "echo", "message=hi", "--transport", choice]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{path} {choice}: {}", ran.stderr);
    }
    for choice in ["ws", "stdio"] {
        assert_eq!(web.run(&["ping", "URL", "--transport", choice]).code, Some(2), "{choice}");
    }
}

#[test]
fn headers_and_tokens_reach_the_server_and_no_message() {
    let web = Web::answering(|_| Reply::status(401).with("www-authenticate", "Bearer"));
    let url = web.server.url("/mcp");
    let run = |words: &[&str]| -> Ran {
        command(words).env("MY_KEY", "k3y-hunter2").env("MY_TOKEN", "t0ken-hunter2").output().unwrap().into()
    };
    let ran = run(&[
        "list",
        &url,
        "-H",
        "X-Key: env:MY_KEY",
        "-H",
        "X-Two: a: b",
        "--bearer-env",
        "MY_TOKEN",
        "-vv",
        "--json",
    ]);
    assert_eq!((ran.code, &ran.json()["error"]["kind"]), (Some(3), &Value::from("authorization")), "{}", ran.stderr);
    assert_eq!(ran.json()["error"]["http_status"], 401);
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("--bearer-env"), "{}", ran.stdout);
    let requests = web.server.requests();
    let first = requests.first().unwrap();
    assert_eq!((first.header("x-key"), first.header("x-two")), ("k3y-hunter2", "a: b"));
    assert_eq!(first.header("authorization"), "Bearer t0ken-hunter2");
    assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"), "{}{}", ran.stdout, ran.stderr);

    let ran = run(&["list", &url, "--bearer-env", "NO_SUCH_VARIABLE_HERE"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("NO_SUCH_VARIABLE_HERE"), "{}", ran.stderr);
}

#[test]
fn no_permission_ends_with_exit_code_3() {
    let web = Web::answering(|_| Reply::status(403));
    let ran = web.run(&["call", "URL", "t"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
}

#[test]
fn a_refused_connection_ends_with_exit_code_4_and_advice() {
    for url in [
        format!("http://{}/mcp", refused()),
        format!("ws://{}/mcp", refused()),
        format!("tcp:{}", refused()),
        "unix:/no/such/socket".to_owned(),
    ] {
        let ran = bowline(&["ping", &url]);
        assert_eq!(ran.code, Some(4), "{url}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: add -vv"), "{url}: {}", ran.stderr);
    }
}

#[test]
fn a_wrong_path_is_told_with_the_usual_ones() {
    let web = Web::answering(|_| Reply::status(404));
    let ran = web.run(&["list", "URL"]);
    assert_eq!(ran.code, Some(4), "there is nothing to connect to: {}", ran.stderr);
    assert!(ran.stderr.contains("404") && ran.stderr.contains("/mcp, older ones at /sse"), "{}", ran.stderr);
}

#[test]
fn a_url_wins_over_the_default_and_not_over_a_command() {
    let web = Web::demo();
    let url = web.server.url("/mcp");
    let ran: Ran = command(&["call", &url, "echo", "message=hi"])
        .env("BOWLINE_STDIO", "/no/such/program")
        .output()
        .unwrap()
        .into();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "hi\n"), "{}", ran.stderr);
    for words in [&["list", "URL", "--", "true"][..], &["call", "URL", "echo", "--stdio", "true"]] {
        let ran = web.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.stderr.contains("named twice"), "{}", ran.stderr);
    }
    let ran: Ran = command(&["list", "--", "true"]).env("BOWLINE_HEADER", "X: hunter2").output().unwrap().into();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn defaults_for_the_web_are_nothing_to_other_servers_and_options_for_it_are_a_usage_error() {
    for url in [format!("tcp:{}", refused()), "unix:/no/such/socket".to_owned()] {
        let ran: Ran = command(&["list", &url])
            .envs([("BOWLINE_HEADER", "X: hunter2"), ("BOWLINE_BEARER_ENV", "NO_SUCH_VARIABLE_HERE")])
            .envs([("BOWLINE_INSECURE", "1"), ("BOWLINE_TRANSPORT", "http")])
            .output()
            .unwrap()
            .into();
        assert_eq!(ran.code, Some(4), "{url}: {}", ran.stderr);
        for option in [&["-H", "A: hunter2"][..], &["--insecure"], &["--bearer-env", "HOME"], &["--transport", "http"]]
        {
            let ran = bowline(&[&["list", &url], option].concat());
            assert_eq!(ran.code, Some(2), "{url} {option:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        }
    }
}

#[test]
fn options_of_the_other_kind_of_server_are_usage_errors() {
    let web = Web::demo();
    for option in [&["-e", "A=b"][..], &["--cwd", "/"], &["--inherit-env", "all"]] {
        let ran = web.run(&[&["list", "URL"], option].concat());
        assert_eq!(ran.code, Some(2), "{option:?}: {}", ran.stderr);
    }
    for option in [&["-H", "A: b"][..], &["--insecure"], &["--bearer-env", "HOME"], &["--transport", "http"]] {
        let ran = bowline(&[&["list"], option, &["--", "true"]].concat());
        assert_eq!(ran.code, Some(2), "{option:?}: {}", ran.stderr);
    }
}

#[test]
fn a_resource_with_a_web_address_is_read_from_a_program() {
    let server = Server::new()
        .answer("resources/read", r#"{"contents":[{"uri":"https://example.com/a","text":"from the program"}]}"#);
    let ran = server.run(&["read", "https://example.com/a"]);
    assert_eq!((ran.code, ran.stdout.trim_end()), (Some(0), "from the program"), "{}", ran.stderr);
}
