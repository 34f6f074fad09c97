//! Which scopes are asked for, and when more.

use super::*;

#[tokio::test]
async fn case_auth_010_a_35_scopes_are_the_challenges_then_the_resources_then_none() {
    let named = ProtectedSettings::default().scopes_supported(&["files:read", "files:write"]);
    for (settings, wanted) in [
        (named.clone().challenge_scope("files:read"), Some("files:read")),
        (named, Some("files:read files:write")),
        (ProtectedSettings::default(), None),
    ] {
        let auth = AuthSettings::default().metadata("scopes_supported", vec!["admin"]);
        let world = World::new(auth, settings).await;
        let client = world.connect(&world.person().build().unwrap()).await.unwrap();
        assert_eq!(world.scopes(), [wanted.map(str::to_owned)]);
        within(client.close()).await.unwrap();
    }
}

// Duty: A-37, A-38
#[tokio::test]
async fn case_auth_012_a_lack_of_scope_is_made_good_once_with_the_union() {
    let settings = ProtectedSettings::default().challenge_scope("files:read").needs_for("tools/call", &["files:write"]);
    let world = World::new(AuthSettings::default(), settings.clone()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let wanted = ["files:read", "files:read files:write"];
    assert_eq!(world.scopes(), wanted.map(|scopes| Some(scopes.to_owned())));
    let calls = world.server.asked().into_iter().filter(|asked| asked.rpc_method == "tools/call");
    assert_eq!(calls.map(|asked| asked.status).collect::<Vec<_>>(), [403, 200]);
    within(client.close()).await.unwrap();

    // Somebody who does not get the scope is told of it, once.
    let world = World::new(AuthSettings::default().grant_only(&["files:read"]), settings).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    for _ in 0..2 {
        let error = echo(&client).await.unwrap_err();
        let (kind, text) = told(&error);
        assert_eq!((kind, below(&error).scopes()), (AuthErrorKind::Scope, &["files:write".to_owned()][..]));
        assert!(text.contains("files:write"), "{text}");
    }
    assert_eq!(world.auth.counts().codes, 2, "a person is not asked again and again");
    within(client.close()).await.unwrap();
}

// Duty: A-39
#[tokio::test]
async fn a_server_that_always_wants_more_is_given_up() {
    let settings = ProtectedSettings::default().needs_for("tools/call", &["a"]);
    let world = World::new(AuthSettings::default(), settings).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    world.server.change(|settings| settings.needs_for("tools/call", &["b"]));
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    // From here on the server's wishes are beyond what anybody is granted.
    world.auth.change(|settings| settings.grant_only(&["a", "b"]));
    world.server.change(|settings| settings.needs_for("tools/call", &["c"]));
    let before = world.auth.counts().codes;
    for _ in 0..5 {
        assert_eq!(told(&echo(&client).await.unwrap_err()).0, AuthErrorKind::Scope);
    }
    assert_eq!(world.auth.counts().codes, before + 1);
    within(client.close()).await.unwrap();
}

// Duty: A-39
#[tokio::test]
async fn case_auth_012_a_lack_of_scope_that_nobody_can_be_asked_about_says_what_to_log_in_for() {
    let settings = ProtectedSettings::default().challenge_scope("files:read").needs_for("tools/call", &["files:write"]);
    let world = World::new(AuthSettings::default(), settings).await;
    let store = bowline::auth::MemoryStore::default();
    within(world.person().store(store.clone()).build().unwrap().login()).await.unwrap();
    let client = world.connect(&world.nobody().store(store).build().unwrap()).await.unwrap();
    // However often: what was never asked for was not denied either.
    for _ in 0..6 {
        let error = echo(&client).await.unwrap_err();
        let (kind, text) = told(&error);
        assert_eq!(kind, AuthErrorKind::LoginRequired, "{text}");
        assert_eq!(below(&error).scopes(), ["files:read", "files:write"]);
        assert!(text.contains(r#"the scopes "files:write""#) && text.contains(r#""files:read files:write""#), "{text}");
    }
    within(client.close()).await.unwrap();
}

// Duty: A-02
#[tokio::test]
async fn refusals_by_401_403_and_400_are_three_things() {
    use bowline_testkit::http::{HttpServer, Reply};

    for (status, wanted) in [(403, ErrorKind::Auth), (400, ErrorKind::Protocol)] {
        let server = HttpServer::start(move |_| async move { Reply::status(status).body("no") }).await.unwrap();
        let oauth = OAuth::builder(server.url("/mcp")).visitor(headless()).build().unwrap();
        let error = connect(&server.url("/mcp"), oauth).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (wanted, Some(status)), "{error}");
        assert!(server.requests().iter().all(|request| request.path == "/mcp"), "nothing is looked for");
    }
    let world = World::plain().await;
    let error = world.refusal(world.nobody()).await;
    assert_eq!((error.kind(), told(&error).0), (ErrorKind::Auth, AuthErrorKind::LoginRequired));
}
