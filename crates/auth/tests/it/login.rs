//! Getting a token.

use bowline_auth::{
    AuthErrorKind, DevicePage, DevicePrompt, DpopUse, MemoryStore, OpenWith, PrivateKey, Visit, Visited, Visitor,
};
use bowline_http::{Authorize as _, HttpClient};
use bowline_testkit::authority::{
    Answer, AuthServer, Client, Endpoint, ProtectedSettings, ResourceMetadataAt, SigningKey,
};
use bowline_transport::BoxFuture;
use http::header::LOCATION;
use http::{HeaderMap, Method};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use url::Url;

use crate::support::{Counting, Place, auth_error, call, connect};

#[tokio::test]
async fn a_02_a_refused_request_is_sent_again_with_a_token_and_the_next_has_it_from_the_start() {
    let place = Place::plain().await;
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    assert_eq!((call(&client).await.unwrap(), call(&client).await.unwrap()), ("tied".to_owned(), "tied".to_owned()));
    client.close().await.unwrap();
    assert_eq!((visitor.visits(), place.auth.counts().registrations), (1, 1));
    let refused = place.server.asked().iter().filter(|asked| asked.status == 401).count();
    assert_eq!(refused, 1);
    let status = oauth.status().await.unwrap();
    assert!(status.authorized && status.refreshable && status.issuer == Some(place.auth.issuer()), "{status:?}");
}

#[tokio::test]
async fn a_server_that_lets_anybody_ask_for_a_stream_is_asked_by_a_message_what_it_wants() {
    // What asks for a stream has no method, and a server without streams says so before it wants a token.
    let settings = ProtectedSettings::default().open_for("").challenge_scope("files:read");
    let settings = settings.metadata_at(&[ResourceMetadataAt::Path("/elsewhere".to_owned())]);
    let place = Place::new(AuthServer::builder(), settings).await;
    let status = place.oauth().visitor(Counting::new()).build().unwrap().login().await.unwrap();
    assert!(status.authorized && status.issuer == Some(place.auth.issuer()), "{status:?}");
    assert_eq!(status.scopes, ["files:read"]);
    let asked = place.server.asked();
    let probes = asked.iter().filter(|asked| asked.endpoint == Endpoint::Server);
    assert_eq!(probes.map(|asked| asked.rpc_method.as_str()).collect::<Vec<_>>(), ["", "ping"]);
}

#[tokio::test]
async fn what_a_client_says_of_itself_in_a_header_is_not_quoted_by_a_login_with_another_device() {
    #[derive(Debug)]
    struct Nobody;
    impl DevicePrompt for Nobody {
        fn show<'a>(&'a self, _: &'a DevicePage) -> BoxFuture<'a, Result<(), bowline_auth::AuthError>> {
            Box::pin(std::future::pending())
        }
    }
    // "abc:s-SECRET"
    let said = "who is s-SECRET, or Basic YWJjOnMtU0VDUkVU?";
    let refused = Answer::Json(401, serde_json::json!({ "error": "invalid_client", "error_description": said }));
    let known = Client::secret_basic("abc", "s-SECRET").redirect("http://127.0.0.1:7/callback");
    let auth = AuthServer::builder().client(known).answer(Endpoint::Device, refused);
    let place = Place::new(auth, ProtectedSettings::default()).await;
    let oauth = place.oauth().issuer(place.auth.issuer()).client_id("abc").client_secret("s-SECRET").device(Nobody);
    let error = oauth.build().unwrap().login().await.unwrap_err();
    assert!(error.to_string().contains("who is (hidden)"), "{error}");
    assert!(!format!("{error:?}").contains("SECRET") && !format!("{error:?}").contains("YWJj"), "{error:?}");
}

#[tokio::test]
async fn case_auth_005_a_server_that_wants_no_token_is_not_asked_about_any() {
    let place = Place::new(AuthServer::builder(), ProtectedSettings::default().open()).await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    call(&client).await.unwrap();
    assert_eq!(place.auth.asked().len(), 0);
}

#[tokio::test]
async fn without_anybody_to_ask_the_error_says_that_a_login_is_needed() {
    let place = Place::plain().await;
    let oauth = place.oauth().build().unwrap();
    let error = auth_error(&connect(&place, &oauth).await.unwrap_err());
    assert!(error.is_login_required() && error.to_string().contains(&place.server.url()), "{error}");
    assert_eq!(place.auth.counts().registrations, 0);
    assert!(oauth.login().await.unwrap_err().is_login_required());
}

/// Follows redirects, as a browser does.
fn browser() -> impl Visitor {
    let (runtime, client) = (tokio::runtime::Handle::current(), HttpClient::builder().build().unwrap());
    OpenWith::new(move |visit: &Visit| {
        let (client, page) = (client.clone(), Url::parse(visit.url.as_str()).unwrap());
        runtime.spawn(async move {
            let answer = client.send(Method::GET, &page, HeaderMap::new(), None).await.unwrap();
            let back = page.join(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
            client.send(Method::GET, &back, HeaderMap::new(), None).await.unwrap();
        });
        Ok(())
    })
}

#[tokio::test]
async fn a_browser_is_sent_back_to_the_listener() {
    let place = Place::plain().await;
    let oauth = bowline_auth::OAuth::builder(place.server.url()).visitor(browser()).build().unwrap();
    assert!(oauth.login().await.unwrap().authorized);
    let redirect = place.auth.asked().iter().map(|asked| asked.param("redirect_uri").to_owned()).max().unwrap();
    assert!(redirect.starts_with("http://127.0.0.1:") && redirect.ends_with("/callback"), "{redirect}");
}

#[derive(Debug, Clone)]
struct Approving(Arc<AuthServer>);

impl DevicePrompt for Approving {
    fn show<'a>(&'a self, page: &'a DevicePage) -> BoxFuture<'a, Result<(), bowline_auth::AuthError>> {
        Box::pin(async move {
            assert!(self.0.approve_device(&page.code));
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_device_code_is_asked_for_until_somebody_has_entered_it() {
    let auth = Arc::new(AuthServer::builder().device_interval(1).start().await.unwrap());
    let mock = bowline_testkit::MockServer::builder().build();
    let server = auth.protect(mock, ProtectedSettings::default()).await.unwrap();
    let oauth = bowline_auth::OAuth::builder(server.url()).device(Approving(Arc::clone(&auth))).build().unwrap();
    assert!(oauth.login().await.unwrap().authorized);
    let grants: Vec<_> = auth.asked().iter().map(|asked| asked.param("grant_type").to_owned()).collect();
    assert!(grants.iter().any(|grant| grant.ends_with(":device_code")), "{grants:?}");
}

#[tokio::test]
async fn a_program_acts_for_itself_with_a_key_and_bound_tokens() {
    let key = SigningKey::es256().unwrap();
    let auth = AuthServer::builder().client(Client::private_key_jwt("robot", &key)).demand_nonce();
    let place = Place::new(auth, ProtectedSettings::default().demand_nonce()).await;
    let oauth = place.oauth().issuer(place.auth.issuer()).client_id("robot");
    let oauth = oauth.client_key(PrivateKey::from_pem(&key.pem()).unwrap());
    let oauth = oauth.client_credentials().dpop(DpopUse::Always).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    assert_eq!(call(&client).await.unwrap(), "tied");
    let asked = place.server.asked();
    let served = asked.iter().filter(|asked| asked.endpoint == Endpoint::Server && asked.status == 200);
    assert!(served.clone().count() > 2 && served.clone().all(|asked| asked.scheme == "DPoP"), "{asked:?}");
    assert!(oauth.status().await.unwrap().bound);
}

#[tokio::test]
async fn case_auth_033_a_token_that_is_refused_as_soon_as_it_is_issued_ends_in_an_error() {
    let place = Place::new(AuthServer::builder(), ProtectedSettings::default().refuse_all(true)).await;
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).build().unwrap();
    for _ in 0..2 {
        let error = auth_error(&connect(&place, &oauth).await.unwrap_err());
        assert!(error.kind() == AuthErrorKind::Token && error.to_string().contains("just issued"), "{error}");
    }
    // The second time nobody is asked: nothing has changed.
    assert_eq!(visitor.visits(), 1);
    place.server.change(|settings| settings.refuse_all(false));
    oauth.login().await.unwrap();
    assert!(connect(&place, &oauth).await.is_ok());
}

#[tokio::test]
async fn a_login_with_another_device_is_bounded_by_its_timeout() {
    #[derive(Debug)]
    struct Stuck;
    impl DevicePrompt for Stuck {
        fn show<'a>(&'a self, _: &'a DevicePage) -> BoxFuture<'a, Result<(), bowline_auth::AuthError>> {
            Box::pin(std::future::pending())
        }
    }
    let place = Place::plain().await;
    let oauth = place.oauth().device(Stuck).login_timeout(Duration::from_millis(50)).build().unwrap();
    assert_eq!(oauth.login().await.unwrap_err().kind(), AuthErrorKind::Timeout);
    // One without a bound is none of ours.
    let oauth = place.oauth().visitor(Counting::new()).login_timeout(Duration::MAX).build().unwrap();
    assert!(oauth.login().await.unwrap().authorized);
}

#[tokio::test]
async fn a_server_that_wants_this_machine_by_its_name_gets_it_so() {
    let refused = Answer::Json(400, serde_json::json!({ "error": "invalid_redirect_uri" }));
    for listens in [true, false] {
        let place =
            Place::new(AuthServer::builder().answer_once(Endpoint::Register, refused.clone()), Default::default())
                .await;
        let oauth = bowline_auth::OAuth::builder(place.server.url());
        let oauth = if listens { oauth.visitor(browser()) } else { oauth.visitor(Counting::new()) };
        assert!(oauth.build().unwrap().login().await.unwrap().authorized);
        let asked = place.auth.asked();
        let hosts: Vec<_> = asked
            .iter()
            .filter(|asked| asked.endpoint == Endpoint::Register)
            .map(|asked| asked.param("redirect_uris").contains("//localhost"))
            .collect();
        assert_eq!(hosts, [false, true], "{asked:?}");
        let page = asked.iter().find(|asked| asked.endpoint == Endpoint::Authorize).unwrap();
        assert!(page.param("redirect_uri").starts_with("http://localhost"), "{page:?}");
    }
    // Where somebody has set the address, it is theirs.
    let place = Place::new(AuthServer::builder().answer(Endpoint::Register, refused), Default::default()).await;
    let error = place.oauth().visitor(Counting::new()).build().unwrap().login().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (AuthErrorKind::Registration, Some("invalid_redirect_uri")));
    assert_eq!(place.auth.asked().iter().filter(|asked| asked.endpoint == Endpoint::Register).count(), 1);
}

#[tokio::test]
async fn a_code_that_is_for_bound_tokens_is_bound_too() {
    for (dpop, bound) in [(DpopUse::Always, true), (DpopUse::Never, false)] {
        let place = Place::plain().await;
        let oauth = place.oauth().visitor(Counting::new()).dpop(dpop).build().unwrap();
        assert_eq!(oauth.login().await.unwrap().bound, bound);
        let asked = place.auth.asked();
        let page = asked.iter().find(|asked| asked.endpoint == Endpoint::Authorize).unwrap();
        // A SHA-256 in Base64.
        assert_eq!(page.param("dpop_jkt").len(), if bound { 43 } else { 0 }, "{page:?}");
    }
}

/// Waits at the page until it may go on.
#[derive(Debug, Clone)]
struct Slow {
    visits: Counting,
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        Self { visits: Counting::new(), reached: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) }
    }
}

impl Visitor for Slow {
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, bowline_auth::AuthError>> {
        Box::pin(async move {
            self.reached.add_permits(1);
            self.go.acquire().await.unwrap().forget();
            self.visits.visit(visit).await
        })
    }

    fn listens(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_person_who_thinks_keeps_nobody_from_a_refresh_and_what_they_agree_to_stays() {
    let (place, store, slow) = (Place::plain().await, MemoryStore::default(), Slow::new());
    let with = || place.oauth().store(store.clone());
    with().visitor(Counting::new()).build().unwrap().login().await.unwrap();
    let (asking, other) = (with().visitor(slow.clone()).build().unwrap(), with().build().unwrap());
    let login = tokio::spawn({
        let asking = asking.clone();
        async move { asking.login().await }
    });
    slow.reached.acquire().await.unwrap().forget();
    // The lease is free, or this would take longer than the test.
    other.refresh().await.unwrap();
    assert!(asking.waits_for_person() && !other.waits_for_person());
    slow.go.add_permits(1);
    login.await.unwrap().unwrap();
    assert!(!asking.waits_for_person());
    // Both know what the login brought, which is the last that there is.
    other.refresh().await.unwrap();
    asking.refresh().await.unwrap();
    let counts = place.auth.counts();
    assert_eq!((counts.refreshes, counts.refused_refreshes, counts.reuses, counts.codes), (3, 0, 0, 2), "{counts:?}");
}

#[tokio::test]
async fn two_that_want_a_login_ask_the_person_once() {
    let (place, store, slow) = (Place::plain().await, MemoryStore::default(), Slow::new());
    let with = || place.oauth().store(store.clone()).visitor(slow.clone()).build().unwrap();
    let (one, other) = (with(), with());
    let both = async {
        let (one, other) = tokio::join!(connect(&place, &one), connect(&place, &other));
        (one.unwrap(), other.unwrap())
    };
    let released = async {
        slow.reached.acquire().await.unwrap().forget();
        while place.server.asked().iter().filter(|asked| asked.status == 401).count() < 2 {
            tokio::task::yield_now().await;
        }
        slow.go.add_permits(1);
    };
    let ((one, other), ()) = tokio::join!(both, released);
    assert_eq!((call(&one).await.unwrap(), call(&other).await.unwrap()), ("tied".to_owned(), "tied".to_owned()));
    assert_eq!((slow.visits.visits(), place.auth.counts().codes), (1, 1));
}
