//! A person in a browser: away, and back.

use std::net::TcpListener;
use std::time::Duration;

use bowline::auth::MemoryStore;
use bowline_testkit::authority::{Client as Known, Iss, State};
use tokio::sync::mpsc;

use super::*;
use crate::support::soon;

/// A port that is free now.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// Duty
#[tokio::test]
async fn a_login_goes_through_the_browser_and_back_to_a_listener() {
    let world = World::plain().await;
    let oauth = world.nobody().visitor(browser()).build().unwrap();
    for round in 1..=2 {
        let status = within(oauth.login()).await.unwrap();
        assert!(status.authorized && status.refreshable);
        assert_eq!(status.issuer, Some(world.auth.issuer()));
        assert_eq!(world.auth.counts().codes, round);
    }
    let asked = world.asked(Endpoint::Authorize);
    assert!(asked.iter().all(|asked| asked.has("state") && asked.param("code_challenge_method") == "S256"));
    assert_ne!(asked[0].param("code_challenge"), asked[1].param("code_challenge"), "each login has its own verifier");
    assert!(asked[0].param("redirect_uri").starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn case_auth_027_the_port_of_a_registration_is_taken_again() {
    let world = World::plain().await;
    let store = MemoryStore::default();
    let oauth = || world.nobody().visitor(browser()).store(store.clone()).build().unwrap();
    within(oauth().login()).await.unwrap();
    within(oauth().login()).await.unwrap();
    let redirects = || {
        world.asked(Endpoint::Authorize).iter().map(|asked| asked.param("redirect_uri").to_owned()).collect::<Vec<_>>()
    };
    let before = redirects();
    assert_eq!(before[0], before[1]);
    assert_eq!(world.auth.counts().registrations, 1);
    // Somebody else has the port now.
    let address = before[0].trim_start_matches("http://").trim_end_matches("/callback").to_owned();
    let _taken = TcpListener::bind(&address).unwrap();
    within(oauth().login()).await.unwrap();
    assert_ne!(redirects()[2], before[0]);
    assert_eq!(world.auth.counts().registrations, 2);
    assert!(world.asked(Endpoint::Authorize).iter().all(|asked| asked.status == 302), "never a mismatch");
}

#[tokio::test]
async fn case_auth_029_a_pinned_redirect_is_used_to_the_letter() {
    let redirect = format!("http://localhost:{}/callback", free());
    let settings = AuthSettings::default().client(Known::public("mine").redirect(&redirect));
    let world = World::new(settings, ProtectedSettings::default()).await;
    let oauth = world.nobody().client_id("mine").redirect_uri(&redirect).visitor(browser()).build().unwrap();
    within(oauth.login()).await.unwrap();
    assert_eq!(world.asked(Endpoint::Authorize)[0].param("redirect_uri"), redirect);
    let error = world.nobody().redirect_uri("http://example.com/callback").build().unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Config);
}

#[tokio::test]
async fn case_auth_030_a_denial_ends_the_login_at_once() {
    let settings = AuthSettings::default().deny("access_denied", "User said no");
    let world = World::new(settings, ProtectedSettings::default()).await;
    let (pages, mut seen) = mpsc::channel(4);
    let visitor = OpenWith::new(move |visit: &Visit| {
        let (url, pages) = (visit.url.as_str().to_owned(), pages.clone());
        std::thread::spawn(move || pages.blocking_send(get(&location(&get(&url)))));
        Ok(())
    });
    let oauth = world.nobody().visitor(visitor).build().unwrap();
    let error = soon(oauth.login()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (AuthErrorKind::Denied, Some("access_denied")));
    assert!(error.to_string().contains("User said no"), "{error}");
    let page = within(seen.recv()).await.unwrap();
    assert!(page.contains("Not signed in") && !page.contains("User said no"), "{page}");
    assert!(world.asked(Endpoint::Token).is_empty());
    world.auth.change(AuthSettings::consent);
    assert!(soon(oauth.login()).await.unwrap().authorized, "a new login starts at once");
}

#[tokio::test]
async fn case_auth_032_each_answer_goes_to_the_login_with_its_state() {
    let (one, two) = (World::plain().await, World::plain().await);
    let (visits, mut coming) = mpsc::channel(4);
    let visitor = || {
        let visits = visits.clone();
        OpenWith::new(move |visit: &Visit| {
            let (url, redirect) = (visit.url.as_str().to_owned(), visit.redirect_uri.clone());
            visits.try_send((url, redirect)).map_err(|error| error.to_string())
        })
    };
    let logins: Vec<_> = [&one, &two]
        .map(|world| world.nobody().visitor(visitor()).build().unwrap())
        .into_iter()
        .map(|oauth| tokio::spawn(async move { oauth.login().await }))
        .collect();
    let first = within(coming.recv()).await.unwrap();
    let second = within(coming.recv()).await.unwrap();
    let pages = tokio::task::spawn_blocking(move || {
        let answers = [&second, &first].map(|(url, _)| location(&get(url)));
        let query = |url: &str| url.split_once('?').unwrap().1.to_owned();
        // What belongs to the other login, or to none, is a failure to its page, and takes nothing away.
        let stray = [format!("{}?{}", first.1, query(&answers[0])), format!("{}?code=c&state=none", second.1)];
        (stray.map(|url| get(&url)), answers.map(|url| get(&url)))
    });
    let (stray, right) = within(pages).await.unwrap();
    assert!(stray.iter().all(|page| page.contains("Not signed in")), "{stray:?}");
    assert!(right.iter().all(|page| page.contains("Answer received")), "{right:?}");
    for login in logins {
        assert!(within(login).await.unwrap().unwrap().authorized);
    }
}

// Duty, SE-13
#[tokio::test]
async fn an_answer_of_another_issuer_sends_its_code_nowhere() {
    for (settings, names) in [
        (AuthSettings::default().iss(Iss::Absent), "lacks `iss`"),
        (AuthSettings::default().iss(Iss::Value("https://evil.example".to_owned())), "https://evil.example"),
        (AuthSettings::default().iss(Iss::Value("{issuer}/".to_owned())), "`iss`"),
        (AuthSettings::default().advertise_iss(false).iss(Iss::Value("https://evil.example".to_owned())), "`iss`"),
        (AuthSettings::default().iss(Iss::Absent).deny("E-CODE", "E-WORDS"), "lacks `iss`"),
    ] {
        let world = World::new(settings, ProtectedSettings::default()).await;
        let error = world.refusal(world.person()).await;
        let (kind, text) = told(&error);
        assert_eq!(kind, AuthErrorKind::Response);
        assert!(text.contains(names) && !format!("{error:?}").contains("E-WORDS"), "{error:?}");
        assert!(world.asked(Endpoint::Token).is_empty(), "{text}");
    }
    let settings = AuthSettings::default().advertise_iss(false).iss(Iss::Absent);
    let world = World::new(settings, ProtectedSettings::default()).await;
    assert!(world.connect(&world.person().build().unwrap()).await.is_ok());
}

#[tokio::test]
async fn an_answer_without_the_state_is_no_answer() {
    for state in [State::Absent, State::Value("another".to_owned())] {
        let world = World::new(AuthSettings::default().state(state), ProtectedSettings::default()).await;
        assert_eq!(told(&world.refusal(world.person()).await).0, AuthErrorKind::Response);
        assert!(world.asked(Endpoint::Token).is_empty());
    }
}

#[tokio::test]
async fn a_login_that_nobody_finishes_ends_with_its_time() {
    let world = World::plain().await;
    let visitor = OpenWith::new(|_: &Visit| Ok(()));
    let oauth = world.nobody().visitor(visitor).login_timeout(Duration::ZERO).build().unwrap();
    assert_eq!(soon(oauth.login()).await.unwrap_err().kind(), AuthErrorKind::Timeout);
}
