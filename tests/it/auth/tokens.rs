//! Tokens: sent, refreshed once, kept, and given up only when the server itself refused them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use bowline::auth::{MemoryStore, SecretString, SourcedBearer, TokenFile, TokenFn, TokenSource};
use bowline_testkit::authority::ChallengeWith;
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};

// Duty: A-30
#[tokio::test]
async fn every_request_carries_the_token_in_its_header_and_no_url_has_it() {
    let world = World::plain().await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    within(client.close()).await.unwrap();
    let after: Vec<_> = world.server.asked().into_iter().skip_while(|asked| asked.scheme.is_empty()).collect();
    let of_server: Vec<_> = after.iter().filter(|asked| asked.endpoint == Endpoint::Server).collect();
    assert!(of_server.len() > 2 && of_server.iter().all(|asked| asked.scheme == "Bearer"), "{of_server:?}");
    assert!(of_server.iter().all(|asked| asked.params.is_empty() && asked.path == "/mcp"));
}

// Duty: A-33
#[tokio::test]
async fn case_auth_006_calls_at_once_with_an_expired_token_share_one_refresh() {
    let world = World::plain().await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    for round in 1..=2 {
        world.auth.expire_tokens();
        let calls = futures_util::future::join_all((0..5).map(|_| echo(&client))).await;
        assert!(calls.iter().all(|call| call.as_deref().is_ok_and(|text| text == "ahoy")), "{calls:?}");
        // The second round could not do with a refresh token of the first.
        let counts = world.auth.counts();
        assert_eq!((counts.refreshes, counts.refused_refreshes, counts.codes), (round, 0, 1));
    }
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_007_what_another_client_has_refreshed_is_taken_and_not_wiped() {
    let world = World::plain().await;
    let store = MemoryStore::default();
    let oauth = |visitor: bool| {
        let oauth = if visitor { world.person() } else { world.nobody() };
        oauth.store(store.clone()).build().unwrap()
    };
    let (first, second) = (oauth(true), oauth(false));
    let one = world.connect(&first).await.unwrap();
    let two = world.connect(&second).await.unwrap();
    world.auth.expire_tokens();
    assert_eq!(echo(&one).await.unwrap(), "ahoy");
    // It still holds the token and the refresh token of before.
    assert_eq!(echo(&two).await.unwrap(), "ahoy");
    let counts = world.auth.counts();
    assert_eq!((counts.codes, counts.refreshes, counts.refused_refreshes), (1, 1, 0));
    assert!(first.status().await.unwrap().refreshable);
    for client in [one, two] {
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn case_auth_009_a_refresh_token_lives_on_where_no_other_comes() {
    let settings = AuthSettings::default().without_rotation().token_answer("token_type", "bearer");
    let world = World::new(settings, ProtectedSettings::default()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    for _ in 0..2 {
        world.auth.expire_tokens();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
    }
    assert_eq!((world.auth.counts().refreshes, world.auth.counts().codes), (2, 1));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_023_a_token_of_unknown_life_is_used_until_it_is_refused() {
    let world = World::new(AuthSettings::default().unknown_life(), ProtectedSettings::default()).await;
    let oauth = world.person().build().unwrap();
    let client = world.connect(&oauth).await.unwrap();
    assert_eq!(oauth.status().await.unwrap().expires_in, None);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2 * 24 * 3_600)).await;
    tokio::time::resume();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!(world.asked(Endpoint::Token).len(), 1);
    world.auth.expire_tokens();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!(world.auth.counts().refreshes, 1);
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    let world = World::plain().await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_595)).await;
    tokio::time::resume();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    // No call waits for it.
    within(world.auth.wait_for(|asked| asked.param("grant_type") == "refresh_token")).await;
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!(world.auth.counts().refreshes, 1);
    let refused = world.server.asked().into_iter().filter(|asked| asked.error == "invalid_token").count();
    assert_eq!(refused, 0, "the server saw no token that was at its end");
    within(client.close()).await.unwrap();
}

// Duty: A-34
#[tokio::test]
async fn without_a_refresh_token_the_end_of_a_token_is_another_login() {
    let world = World::new(AuthSettings::default().without_refresh(), ProtectedSettings::default()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    world.auth.expire_tokens();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!((world.auth.counts().codes, world.auth.counts().refreshes), (2, 0));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_033_revoked_tokens_lead_to_one_login_and_no_loop() {
    let world = World::plain().await;
    let store = MemoryStore::default();
    let oauth = world.person().store(store.clone()).build().unwrap();
    let client = world.connect(&oauth).await.unwrap();
    world.auth.revoke_all();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let counts = world.auth.counts();
    assert_eq!((counts.codes, counts.refused_refreshes), (2, 1));

    // Without anybody to ask it is an error at once.
    world.auth.revoke_all();
    let alone = world.nobody().store(store).build().unwrap();
    let before = world.server.asked().len();
    let error = world.connect(&alone).await.unwrap_err();
    assert_eq!(told(&error).0, AuthErrorKind::LoginRequired);
    assert!(world.server.asked().len() - before <= 4);

    // A server that takes no token at all is not asked for ever.
    world.server.change(|settings| settings.refuse_all(true));
    let (before, codes) = (world.server.asked().len(), world.auth.counts().codes);
    let error = echo(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(world.server.asked().len() - before <= 8, "{:?}", world.server.asked());
    assert!(world.auth.counts().codes - codes <= 1);
    let codes = world.auth.counts().codes;
    assert!(echo(&client).await.is_err());
    assert!(world.auth.counts().codes - codes <= 1);
    drop(client);
}

/// A server that takes one token, and what that is.
struct OneToken {
    good: Arc<std::sync::Mutex<&'static str>>,
    server: ProtectedServer,
}

impl OneToken {
    async fn new() -> Self {
        let good = Arc::new(std::sync::Mutex::new("first"));
        let judge = {
            let good = Arc::clone(&good);
            move |token: String| {
                let taken = *good.lock().unwrap() == token;
                async move { taken.then(Vec::new) }
            }
        };
        let settings = ProtectedSettings::default();
        let server = ProtectedServer::start(mock(), "https://as.example", judge, settings).await.unwrap();
        Self { good, server }
    }

    /// A client whose tokens come from a source, and `give`, which changes what that gives.
    async fn renews(&self, source: impl TokenSource, give: impl Fn(&str)) {
        let server = &self.server;
        *self.good.lock().unwrap() = "first";
        give("first");
        let client = connect(&server.url(), SourcedBearer::new(source)).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");

        *self.good.lock().unwrap() = "second";
        give("second");
        let before = server.asked().len();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        let statuses: Vec<_> = server.asked().get(before..).unwrap().iter().map(|asked| asked.status).collect();
        assert_eq!(statuses, [401, 200]);

        *self.good.lock().unwrap() = "third";
        let before = server.asked().len();
        let error = echo(&client).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Auth, Some(401)));
        assert_eq!(server.asked().len() - before, 1, "the same token is not sent again");
    }
}

/// A file that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn case_auth_036_a_token_in_a_file_is_read_again_once_it_is_refused() {
    let (world, file) = (OneToken::new().await, Scratch::new("token-of-file"));
    world.renews(TokenFile::new(&file.0), |token| std::fs::write(&file.0, format!("Bearer {token}\n")).unwrap()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn case_auth_036_a_token_of_a_command_is_asked_for_again_once_it_is_refused() {
    let (world, file) = (OneToken::new().await, Scratch::new("token-of-command"));
    let path = file.0.clone();
    let command = TokenFn::new(move || {
        let printed = tokio::process::Command::new("cat").arg(&path).output();
        async move {
            let printed = printed.await.map_err(|error| AuthError::assertion(error.to_string()))?;
            Ok(SecretString::from(String::from_utf8_lossy(&printed.stdout).into_owned()))
        }
    });
    world.renews(command, |token| std::fs::write(&file.0, format!("{token}\n")).unwrap()).await;
}

#[tokio::test]
async fn case_auth_036_a_token_of_a_callback_is_asked_for_again_once_it_is_refused() {
    let (world, now) = (OneToken::new().await, Arc::new(std::sync::Mutex::new(String::new())));
    let held = Arc::clone(&now);
    let callback = TokenFn::new(move || std::future::ready(Ok(held.lock().unwrap().as_str().into())));
    world.renews(callback, |token| token.clone_into(&mut now.lock().unwrap())).await;
}

// Duty: A-31
#[tokio::test]
async fn case_security_011_a_server_gets_tokens_that_were_made_for_it_and_no_others() {
    let world = World::plain().await;
    let other = world.auth.protect(mock(), ProtectedSettings::default()).await.unwrap();
    let store = MemoryStore::default();
    let one = world.connect(&world.person().store(store.clone()).build().unwrap()).await.unwrap();
    let oauth = OAuth::builder(other.url()).visitor(headless()).store(store).build().unwrap();
    let two = connect(&other.url(), oauth).await.unwrap();
    for client in [&one, &two] {
        assert_eq!(echo(client).await.unwrap(), "ahoy");
    }
    // A token for the other server would have been refused with `invalid_token`.
    for server in [&world.server, &other] {
        assert!(server.asked().iter().all(|asked| asked.error != "invalid_token"), "{:?}", server.asked());
    }
    assert_eq!(world.auth.counts().codes, 2);
    for client in [one, two] {
        within(client.close()).await.unwrap();
    }
}

/// Two protected servers behind one origin, at `/a` and `/b`.
async fn one_origin(auth: &AuthServer) -> (HttpServer, [ProtectedServer; 2]) {
    let settings = || ProtectedSettings::default().challenge(ChallengeWith::NoMetadata);
    let (a, b) = (auth.protect(mock(), settings()).await.unwrap(), auth.protect(mock(), settings()).await.unwrap());
    let origins = [a.origin(), b.origin()];
    let client = HttpClient::builder().without_proxy().build().unwrap();
    let front = HttpServer::start(move |request| {
        let (client, at) = (client.clone(), usize::from(request.path.ends_with("/b")));
        let url = format!("{}{}mcp", origins[at], request.path.trim_end_matches(['a', 'b']));
        async move { pass(&client, &url, request).await }
    });
    let front = front.await.unwrap();
    for (server, path) in [(&a, "/a"), (&b, "/b")] {
        let resource = front.url(path);
        server.change(|settings| settings.metadata("resource", resource));
    }
    (front, [a, b])
}

/// Hands a request on, and its answer back whole.
async fn pass(client: &HttpClient, url: &str, mut request: HttpRequest) -> Reply {
    // A stream would not end.
    if request.method.as_str() == "GET" && !url.contains("/.well-known/") {
        return Reply::status(405);
    }
    for name in ["host", "content-length", "connection"] {
        request.headers.remove(name);
    }
    let handover = Arc::default();
    let body = (request.method.as_str() == "POST").then(|| (request.body.clone(), &handover));
    let mut answer = client.send(request.method, &url.parse().unwrap(), request.headers, body).await.unwrap();
    let mut reply = Reply::status(answer.status().as_u16());
    for (name, value) in answer.headers() {
        if !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection") {
            reply = reply.with(name.as_str(), value.to_str().unwrap());
        }
    }
    let mut whole = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        whole.extend_from_slice(&chunk);
    }
    reply.body(whole)
}

#[tokio::test]
async fn case_security_011_two_resources_of_one_origin_have_a_token_each() {
    let auth = AuthSettings::default().start().await.unwrap();
    let (front, servers) = one_origin(&auth).await;
    let store = MemoryStore::default();
    for path in ["/a", "/b", "/a"] {
        let oauth = OAuth::builder(front.url(path)).visitor(headless()).store(store.clone()).build().unwrap();
        let client = connect(&front.url(path), oauth).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        within(client.close()).await.unwrap();
    }
    // The token of the other one would have been refused with `invalid_token`.
    for server in &servers {
        let asked = server.asked();
        assert!(asked.iter().any(|asked| asked.status == 200 && asked.endpoint == Endpoint::Server));
        assert!(asked.iter().all(|asked| asked.error != "invalid_token"), "{asked:?}");
    }
    let resources: Vec<_> = auth
        .asked()
        .into_iter()
        .filter(|asked| asked.endpoint == Endpoint::Token)
        .map(|asked| asked.param("resource").to_owned())
        .collect();
    assert_eq!(resources, [front.url("/a"), front.url("/b")], "the first one's is there for the third");
}

// Duty: A-32
#[tokio::test]
async fn nothing_that_is_shown_holds_a_token() {
    let world = World::plain().await;
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let judge = {
        let seen = Arc::clone(&seen);
        move |token: String| {
            *seen.lock().unwrap() = token;
            async { None }
        }
    };
    let server =
        ProtectedServer::start(mock(), &world.auth.issuer(), judge, ProtectedSettings::default()).await.unwrap();
    world.auth.change(AuthSettings::any_resource);
    let oauth = OAuth::builder(server.url()).visitor(headless()).build().unwrap();
    let error = connect(&server.url(), oauth.clone()).await.unwrap_err();
    let token = seen.lock().unwrap().clone();
    assert!(!token.is_empty());
    let shown = format!("{error} {error:?} {oauth:?} {:?}", oauth.status().await);
    assert!(!shown.contains(&token), "{shown}");
}
