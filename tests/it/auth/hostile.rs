//! Servers that say what they should not: each an error that says which check failed, and nothing more is sent.

use std::time::Duration;

use bowline::auth::{CredentialStore as _, DpopUse, MemoryStore, PrivateKey};
use bowline_testkit::authority::{Answer, Client as Known, SigningKey};

use super::*;

/// A little more than a hundred MiB.
const HUGE: u64 = 101 << 20;

async fn refused(auth: AuthSettings, server: ProtectedSettings) -> (AuthErrorKind, String, World) {
    let world = World::new(auth, server).await;
    let (kind, text) = told(&world.refusal(world.person()).await);
    (kind, text, world)
}

#[tokio::test]
async fn metadata_that_is_a_page_is_told_as_such() {
    for (auth, server, what) in [
        (AuthSettings::default(), ProtectedSettings::default().metadata_answer(Answer::Html(200)), "resource metadata"),
        (
            AuthSettings::default().answer(Endpoint::Metadata, Answer::Html(200)),
            ProtectedSettings::default(),
            "authorization server metadata",
        ),
    ] {
        let (kind, text, world) = refused(auth, server).await;
        assert_eq!(kind, AuthErrorKind::Discovery);
        assert!(text.contains(what) && !text.contains("Please sign in"), "{text}");
        assert!(world.asked(Endpoint::Authorize).is_empty());
    }
}

#[tokio::test]
async fn metadata_of_a_hundred_mib_is_given_up_early() {
    for (auth, server) in [
        (AuthSettings::default(), ProtectedSettings::default().metadata_answer(Answer::Huge(HUGE))),
        (AuthSettings::default().answer(Endpoint::Metadata, Answer::Huge(HUGE)), ProtectedSettings::default()),
        (AuthSettings::default().answer(Endpoint::Register, Answer::Huge(HUGE)), ProtectedSettings::default()),
        (AuthSettings::default().answer(Endpoint::Token, Answer::Huge(HUGE)), ProtectedSettings::default()),
    ] {
        let (_, text, _) = refused(auth, server).await;
        assert!(text.contains("larger than") && text.len() < 400, "{text}");
    }
}

// Duty: A-29, SE-01, SE-02, SE-03
#[tokio::test]
async fn endpoints_that_must_not_be_asked_are_not() {
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        for bad in [
            "file:///etc/passwd",
            "http://169.254.169.254/latest",
            "http://as.example/x",
            "javascript:alert(1)",
            "ftp://h/",
        ] {
            let settings = AuthSettings::default().metadata(name, bad);
            let (kind, text, world) = refused(settings, ProtectedSettings::default()).await;
            assert!(matches!(kind, AuthErrorKind::Blocked | AuthErrorKind::Discovery), "{name} {bad}: {kind:?} {text}");
            assert!(world.asked(Endpoint::Authorize).is_empty() && world.asked(Endpoint::Token).is_empty());
        }
    }
    for bad in ["file:///etc/passwd", "https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/"] {
        let settings = ProtectedSettings::default().metadata("authorization_servers", vec![bad]);
        let (kind, text, _) = refused(AuthSettings::default(), settings).await;
        assert!(matches!(kind, AuthErrorKind::Blocked | AuthErrorKind::Discovery), "{bad}: {kind:?} {text}");
    }
}

#[tokio::test]
async fn case_security_004_only_urls_of_the_web_are_opened_and_asked() {
    let opened = Arc::new(std::sync::Mutex::new(Vec::new()));
    let bad = ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "smb://h/s"];
    let fields =
        bad.map(|bad| ("authorization_endpoint", bad)).into_iter().chain([("token_endpoint", "http://internal/")]);
    for (field, bad) in fields {
        let settings = AuthSettings::default().metadata(field, bad);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let seen = Arc::clone(&opened);
        let visitor = OpenWith::new(move |visit: &Visit| {
            seen.lock().unwrap().push(visit.url.as_str().to_owned());
            Ok(())
        });
        let (_, text) = told(&world.refusal(world.nobody().visitor(visitor)).await);
        let scheme = bad.split(':').next().unwrap();
        assert!(text.contains(field) && text.contains(scheme), "{field} {bad}: {text}");
    }
    assert_eq!(*opened.lock().unwrap(), [""; 0]);
}

// Duty: SE-05
#[tokio::test]
async fn the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
    use bowline_testkit::http::{HttpServer, Reply};

    let server = HttpServer::start(|_| async { Reply::status(204) }).await.unwrap();
    let url = format!("http://localhost:{}/", server.address().port()).parse().unwrap();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    for permitted in [false, true] {
        let seen = Arc::clone(&asked);
        let client = HttpClient::builder().without_proxy().build().unwrap().permit_addresses(move |address| {
            seen.lock().unwrap().push(address);
            permitted && address.is_ipv4()
        });
        let answer = within(client.send(Default::default(), &url, Default::default(), None)).await;
        assert_eq!(answer.is_ok(), permitted);
        assert_eq!(server.requests().len(), usize::from(permitted), "nothing is connected to before it was looked at");
    }
    assert!(asked.lock().unwrap().iter().all(std::net::IpAddr::is_loopback));
}

// Duty: SE-04
#[tokio::test]
async fn redirects_of_metadata_and_tokens_are_not_followed() {
    let to = "http://169.254.169.254/latest/meta-data";
    for endpoint in [Endpoint::Metadata, Endpoint::Register, Endpoint::Token] {
        let settings = AuthSettings::default().answer(endpoint, Answer::Redirect(to.to_owned()));
        let (_, text, _) = refused(settings, ProtectedSettings::default()).await;
        assert!(text.contains("redirect"), "{text}");
        assert!(!text.contains("169.254"), "{text}");
        // Not even to where the same server would answer.
        let settings = AuthSettings::default().answer(endpoint, Answer::Redirect("{origin}/elsewhere".to_owned()));
        let (_, _, world) = refused(settings, ProtectedSettings::default()).await;
        assert!(world.auth.asked().iter().all(|asked| asked.path != "/elsewhere"));
    }
}

#[tokio::test]
async fn a_token_answer_that_is_none_is_told_as_such() {
    for (answer, names) in [
        (Answer::Html(200), "token endpoint"),
        (Answer::Text("[]".to_owned()), "token endpoint"),
        (Answer::Json(200, json!({})), "access_token"),
        (Answer::Json(200, json!({ "access_token": 7, "token_type": "Bearer" })), "access_token"),
        (Answer::Json(200, json!({ "access_token": "", "token_type": "Bearer" })), "access_token"),
        (Answer::Json(200, json!({ "access_token": "T-SECRET", "token_type": "mac" })), "token_type"),
        (Answer::Json(400, json!({ "error": "invalid_grant", "error_description": "too late" })), "invalid_grant"),
    ] {
        let settings = AuthSettings::default().answer(Endpoint::Token, answer.clone());
        let (kind, text, world) = refused(settings, ProtectedSettings::default()).await;
        assert_eq!(kind, AuthErrorKind::Token, "{answer:?}: {text}");
        assert!(
            text.contains(names) && !text.contains("SECRET") && !text.contains("Please sign in"),
            "{answer:?}: {text}"
        );
        assert_eq!(world.asked(Endpoint::Token).len(), 1, "a code is shown once");
    }
}

#[tokio::test]
async fn an_expiry_of_a_wrong_type_makes_no_token_worthless() {
    for life in [json!("3600"), json!(null), json!(-5), json!(1e300), json!("soon"), json!([])] {
        let settings = AuthSettings::default().token_answer("expires_in", life.clone());
        let world = World::new(settings, ProtectedSettings::default()).await;
        let connected = world.connect(&world.person().build().unwrap()).await;
        match connected {
            Ok(client) => {
                assert_eq!(echo(&client).await.unwrap(), "ahoy", "{life}");
                within(client.close()).await.unwrap();
            }
            // Where it is refused, the error says what.
            Err(error) => assert!(told(&error).1.contains("expires_in"), "{life}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_code_that_was_used_is_refused_and_not_tried_again() {
    let (kind, text, world) = refused(AuthSettings::default().spent_codes(), ProtectedSettings::default()).await;
    assert_eq!(kind, AuthErrorKind::Token);
    assert!(text.contains("invalid_grant"), "{text}");
    assert_eq!(world.asked(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn a_state_that_was_used_opens_nothing_again() {
    let world = World::plain().await;
    let (pages, mut seen) = tokio::sync::mpsc::channel(4);
    let visitor = OpenWith::new(move |visit: &Visit| {
        let (url, pages) = (visit.url.as_str().to_owned(), pages.clone());
        std::thread::spawn(move || {
            let back = location(&get(&url));
            let first = get(&back);
            // The listener may be gone, which is as good.
            let again = exchange("GET", &back, "", "").unwrap_or_default();
            pages.blocking_send((first, again))
        });
        Ok(())
    });
    let oauth = world.nobody().visitor(visitor).build().unwrap();
    assert!(within(oauth.login()).await.unwrap().authorized);
    let (first, again) = within(seen.recv()).await.unwrap();
    assert!(first.contains("Answer received") && !again.contains("Answer received"), "{again}");
    assert_eq!(world.asked(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn a_redirect_with_an_error_is_told_and_no_token_asked_for() {
    for (error, kind) in [
        ("access_denied", AuthErrorKind::Denied),
        ("invalid_scope", AuthErrorKind::Scope),
        ("server_error", AuthErrorKind::Response),
    ] {
        let settings = AuthSettings::default().deny(error, "why it is so");
        let (got, text, world) = refused(settings, ProtectedSettings::default()).await;
        assert_eq!(got, kind);
        assert!(text.contains(error) && text.contains("why it is so"), "{text}");
        assert!(world.asked(Endpoint::Token).is_empty());
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_an_hour_costs_nothing() {
    for ahead in [3_600, -3_600] {
        let settings = AuthSettings::default().clock_ahead(ahead);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let client = world.connect(&world.person().build().unwrap()).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        assert_eq!(world.asked(Endpoint::Token).len(), 1, "the life of a token is counted from when it came");
        // Refused before its time: the server's word counts.
        world.auth.expire_tokens();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        assert_eq!(world.auth.counts().refreshes, 1);
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_endpoint_that_is_away_is_told_as_such() {
    let settings = AuthSettings::default().answer(Endpoint::Token, Answer::Html(503));
    let (kind, text, _) = refused(settings, ProtectedSettings::default()).await;
    assert_eq!(kind, AuthErrorKind::Network);
    assert!(text.contains("503") && !text.contains("Please sign in"), "{text}");
}

#[tokio::test]
async fn what_is_signed_by_a_clock_that_is_wrong_by_an_hour_is_signed_once_more() {
    let key = SigningKey::es256().unwrap();
    for ahead in [3_600, -3_600] {
        let settings = AuthSettings::default().client(Known::private_key_jwt("bot", &key)).demand_dpop();
        let world = World::new(settings.clock_ahead(ahead), ProtectedSettings::default()).await;
        let oauth = world.nobody().issuer(world.auth.issuer()).client_id("bot").client_credentials();
        let oauth = oauth.client_key(PrivateKey::from_pem(&key.pem()).unwrap()).dpop(DpopUse::Always).build().unwrap();
        let client = world.connect(&oauth).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        // One refusal told the time of each server: at the one that is protected it is the one for want of a token.
        let refused: Vec<_> = world.asked(Endpoint::Token).into_iter().map(|asked| asked.error).collect();
        assert_eq!(refused.len(), 2, "{ahead}: {refused:?}");
        assert!(!refused[0].is_empty() && refused[1].is_empty(), "{ahead}: {refused:?}");
        let proofs = world.server.asked().into_iter().filter(|asked| asked.error == "invalid_dpop_proof").count();
        assert_eq!(proofs, 0, "{ahead}: {:?}", world.server.asked());
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_used_twice_leads_to_a_login_and_no_loop() {
    let world = World::plain().await;
    let (mine, copied) = (MemoryStore::default(), MemoryStore::default());
    let oauth = |store: &MemoryStore| world.person().store(store.clone()).build().unwrap();
    let owner = oauth(&mine);
    within(owner.login()).await.unwrap();
    // As a backup does, or a thief.
    let key = format!("{} ", world.server.url());
    let kept = mine.load(&key).await.unwrap().unwrap();
    copied.save(&key, Some(kept.text), None).await.unwrap();
    within(owner.refresh()).await.unwrap();
    world.auth.expire_tokens();
    let client = world.connect(&oauth(&copied)).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let counts = world.auth.counts();
    assert_eq!((counts.reuses, counts.refreshes, counts.codes), (1, 1, 2), "{counts:?}");
    within(client.close()).await.unwrap();
    let error = within(oauth(&mine).refresh()).await.unwrap_err();
    assert!(error.is_login_required(), "what came of it is void: {error}");
}

#[tokio::test]
async fn a_refresh_token_that_was_used_by_somebody_else_leads_to_a_login() {
    let world = World::plain().await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    // As after a theft: what came of the consent is void.
    world.auth.revoke_all();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let counts = world.auth.counts();
    assert_eq!((counts.refused_refreshes, counts.codes), (1, 2));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn an_authorization_server_that_is_silent_or_hangs_up_is_given_up() {
    for (answer, slow) in [(Answer::Closed, false), (Answer::Hangs, true)] {
        let settings = AuthSettings::default().answer(Endpoint::Metadata, answer);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let oauth = world.person().build().unwrap();
        let login = tokio::spawn(async move { oauth.login().await });
        world.auth.wait_for(|asked| asked.endpoint == Endpoint::Metadata).await;
        if slow {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(600)).await;
            tokio::time::resume();
        }
        let error = within(login).await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), AuthErrorKind::Timeout | AuthErrorKind::Network), "{error:?}");
    }
}
