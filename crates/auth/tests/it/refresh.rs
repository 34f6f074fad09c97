//! Keeping a token fresh: once for all that wait.

use std::time::Duration;

use bowline_auth::{AuthError, AuthErrorKind, FileStore, MemoryStore, Visit, Visited, Visitor};
use bowline_client::Client;
use bowline_testkit::authority::{Answer, AuthServer, Client as Known, Endpoint, ProtectedSettings};
use bowline_transport::BoxFuture;
use serde_json::json;

use crate::support::{Counting, Folder, Place, auth_error, call, connect};

/// Calls, and gives the call up once the refresh token is used up.
async fn give_up_in_refresh(place: &Place, client: &Client) {
    tokio::select! {
        _ = call(client) => panic!("the call was to be given up"),
        _ = place.auth.wait_for(|asked| asked.param("grant_type") == "refresh_token") => {}
    }
}

#[tokio::test]
async fn case_auth_006_a_33_calls_at_once_share_one_refresh() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    for round in 1..=2 {
        place.auth.expire_tokens();
        let calls = (0..50).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { call(&client).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap(), "tied");
        }
        let counts = place.auth.counts();
        assert_eq!((counts.refreshes, counts.refused_refreshes, counts.reuses), (round, 0, 0));
    }
}

#[tokio::test]
async fn case_auth_007_what_another_process_has_won_is_used_and_stays() {
    let place = Place::plain().await;
    let folder = Folder::new("won");
    let (one, other) = (
        place.oauth().store(FileStore::new(&folder.0)).visitor(Counting::new()).build().unwrap(),
        place.oauth().store(FileStore::new(&folder.0)).build().unwrap(),
    );
    let (first, second) = (connect(&place, &one).await.unwrap(), connect(&place, &other).await.unwrap());
    for _ in 0..3 {
        place.auth.expire_tokens();
        for client in [&first, &second] {
            assert_eq!(call(client).await.unwrap(), "tied");
        }
    }
    let counts = place.auth.counts();
    assert_eq!((counts.refreshes, counts.refused_refreshes, counts.reuses), (3, 0, 0));
}

#[tokio::test]
async fn a_refresh_goes_on_when_whoever_waits_for_it_gives_up() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    place.auth.expire_tokens();
    give_up_in_refresh(&place, &client).await;
    assert_eq!(call(&client).await.unwrap(), "tied");
    let counts = place.auth.counts();
    assert_eq!((counts.refreshes, counts.reuses), (1, 0));
}

#[tokio::test]
async fn case_auth_009_the_refresh_token_stays_where_no_other_is_given() {
    let place = Place::new(AuthServer::builder().without_rotation(), ProtectedSettings::default()).await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    for round in 1..=2 {
        place.auth.expire_tokens();
        call(&client).await.unwrap();
        assert_eq!(place.auth.counts().refreshes, round);
    }
}

#[tokio::test]
async fn a_refresh_that_fails_for_now_throws_nothing_away() {
    let place = Place::plain().await;
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    place.auth.expire_tokens();
    // Whoever comes first asks for a token: the call, or the request for the server's own messages.
    place.auth.change(|settings| settings.answer(Endpoint::Token, Answer::Html(503)));
    let error = auth_error(&call(&client).await.unwrap_err());
    assert!(error.to_string().contains("503") && error.to_string().contains("HTML"), "{error}");
    assert!(oauth.status().await.unwrap().refreshable);
    place.auth.change(|settings| settings.behave(Endpoint::Token));
    assert_eq!(call(&client).await.unwrap(), "tied");
    assert_eq!((place.auth.counts().refreshes, visitor.visits()), (1, 1));
}

#[tokio::test]
async fn case_auth_033_what_the_server_revoked_leads_to_one_login() {
    let place = Place::plain().await;
    let visitor = Counting::new();
    let store = MemoryStore::default();
    let oauth = place.oauth().visitor(visitor.clone()).store(store.clone()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    place.auth.revoke_all();
    assert_eq!(call(&client).await.unwrap(), "tied");
    let counts = place.auth.counts();
    assert_eq!((counts.refused_refreshes, visitor.visits()), (1, 2));

    // Where nobody can be asked it is said at once.
    let alone = place.oauth().store(store).build().unwrap();
    let client = connect(&place, &alone).await.unwrap();
    place.auth.revoke_all();
    assert!(auth_error(&call(&client).await.unwrap_err()).is_login_required());
    let asked = place.auth.counts().token_requests;
    assert!(auth_error(&call(&client).await.unwrap_err()).is_login_required());
    assert_eq!(place.auth.counts().token_requests, asked, "what was refused is not shown again");
}

#[tokio::test]
async fn case_auth_033_a_refusal_in_other_words_leads_to_one_login_too() {
    let refusals = [
        (200, json!({ "error": "bad_refresh_token", "error_description": "incorrect or expired" })),
        (400, json!({ "code": 400, "error_code": "refresh_token_not_found", "msg": "Invalid Refresh Token" })),
        (400, json!({ "error": "invalid_request", "error_description": "refresh_token is invalid" })),
    ];
    for (status, refusal) in refusals {
        let place = Place::plain().await;
        let visitor = Counting::new();
        let store = MemoryStore::default();
        let oauth = place.oauth().visitor(visitor.clone()).store(store.clone()).build().unwrap();
        let client = connect(&place, &oauth).await.unwrap();
        let answer = || Answer::Json(status, refusal.clone());
        place.auth.expire_tokens();
        place.auth.change(|settings| settings.answer_once(Endpoint::Token, answer()));
        assert_eq!(call(&client).await.unwrap(), "tied", "{refusal}");
        assert_eq!(visitor.visits(), 2, "{refusal}");

        // Where nobody can be asked it is said that a login is due.
        let alone = place.oauth().store(store).build().unwrap();
        let client = connect(&place, &alone).await.unwrap();
        place.auth.expire_tokens();
        place.auth.change(|settings| settings.answer(Endpoint::Token, answer()));
        let error = auth_error(&call(&client).await.unwrap_err());
        assert!(error.to_string().contains("log in"), "{error}");
    }
}

#[tokio::test]
async fn a_refresh_by_hand_gets_a_fresh_token() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    assert!(oauth.refresh().await.unwrap_err().is_login_required());
    oauth.login().await.unwrap();
    assert!(oauth.refresh().await.unwrap().authorized);
    assert_eq!(place.auth.counts().refreshes, 1);
}

#[tokio::test]
async fn a_token_that_another_process_left_is_refreshed_where_it_has_ended_too() {
    let place = Place::plain().await;
    let store = MemoryStore::default();
    let one = place.oauth().visitor(Counting::new()).store(store.clone()).build().unwrap();
    one.login().await.unwrap();
    let other = place.oauth().store(store).build().unwrap();
    let client = connect(&place, &other).await.unwrap();
    place.auth.expire_tokens();
    one.refresh().await.unwrap();
    place.auth.expire_tokens();
    for _ in 0..2 {
        assert_eq!(call(&client).await.unwrap(), "tied");
    }
    assert_eq!((place.auth.counts().refreshes, place.auth.counts().refused_refreshes), (2, 0));
}

#[tokio::test]
async fn a_server_that_refuses_all_tokens_has_one_login_however_well_refreshes_work() {
    let place = Place::plain().await;
    let store = MemoryStore::default();
    place.oauth().visitor(Counting::new()).store(store.clone()).build().unwrap().login().await.unwrap();
    place.server.change(|settings| settings.refuse_all(true));
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).store(store).build().unwrap();
    for _ in 0..3 {
        let error = auth_error(&connect(&place, &oauth).await.unwrap_err());
        assert!(error.to_string().contains("just issued"), "{error}");
    }
    assert_eq!(visitor.visits(), 1);
    place.server.change(|settings| settings.refuse_all(false));
    assert!(connect(&place, &oauth).await.is_ok(), "the token is sent all the same");
}

#[tokio::test]
async fn a_wrong_secret_in_one_process_leaves_the_refresh_token_to_the_others() {
    let known = Known::secret_basic("abc", "right").redirect("http://127.0.0.1:7/callback");
    let place = Place::new(AuthServer::builder().client(known), ProtectedSettings::default()).await;
    let store = MemoryStore::default();
    let known = || place.oauth().issuer(place.auth.issuer()).client_id("abc").store(store.clone());
    let with = |secret: &str| known().client_secret(secret.to_owned());
    let right = with("right").visitor(Counting::new()).build().unwrap();
    right.login().await.unwrap();
    place.auth.expire_tokens();
    let wrong = with("wrong").build().unwrap();
    let error = auth_error(&connect(&place, &wrong).await.unwrap_err());
    assert_eq!(error.code(), Some("invalid_client"), "{error}");
    let client = connect(&place, &right).await.unwrap();
    assert_eq!(call(&client).await.unwrap(), "tied");
    assert_eq!((place.auth.counts().refreshes, place.auth.counts().codes), (1, 1));
}

#[tokio::test]
async fn a_login_that_is_given_up_leaves_the_registration_of_the_one_before() {
    #[derive(Debug)]
    struct Away;
    impl Visitor for Away {
        fn visit<'a>(&'a self, _: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
            Box::pin(async { Err(AuthError::visit("nobody is here")) })
        }

        fn listens(&self) -> bool {
            false
        }
    }
    let place = Place::plain().await;
    let store = MemoryStore::default();
    let one = place.oauth().visitor(Counting::new()).store(store.clone()).build().unwrap();
    one.login().await.unwrap();
    let elsewhere = place.oauth().redirect_uri("http://127.0.0.1:8/callback").visitor(Away).store(store);
    assert!(elsewhere.build().unwrap().login().await.is_err());
    assert_eq!(place.auth.counts().registrations, 2);
    assert!(one.refresh().await.unwrap().authorized);
}

#[tokio::test]
async fn a_call_does_not_wait_for_a_renewal_ahead_of_the_end() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    place.auth.change(|settings| settings.answer(Endpoint::Token, Answer::Hangs));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_595)).await;
    tokio::time::resume();
    // Far below what a token endpoint may take.
    let call = tokio::time::timeout(Duration::from_secs(8), call(&client)).await;
    assert_eq!(call.unwrap().unwrap(), "tied");
}

#[test]
fn what_a_refresh_brings_is_kept_before_a_runtime_ends_that_is_settled() {
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let store = MemoryStore::default();
    let place = servers.block_on(Place::plain());
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    clients.block_on(async {
        let oauth = place.oauth().visitor(Counting::new()).store(store.clone()).build().unwrap();
        let client = connect(&place, &oauth).await.unwrap();
        place.auth.expire_tokens();
        give_up_in_refresh(&place, &client).await;
        oauth.settle(Duration::from_secs(30)).await;
    });
    drop(clients);
    servers.block_on(async {
        let next = place.oauth().store(store).build().unwrap();
        assert_eq!(call(&connect(&place, &next).await.unwrap()).await.unwrap(), "tied");
        next.refresh().await.unwrap();
        assert_eq!((place.auth.counts().refreshes, place.auth.counts().reuses), (2, 0));
    });
}

#[cfg(unix)]
#[tokio::test]
async fn a_store_that_fails_later_stops_nobody() {
    let place = Place::plain().await;
    let folder = Folder::new("fails");
    let oauth = place.oauth().visitor(Counting::new()).store(FileStore::new(&folder.0)).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    std::fs::remove_dir_all(&folder.0).unwrap();
    std::fs::write(&folder.0, "no folder").unwrap();
    for round in 1..=2 {
        place.auth.expire_tokens();
        assert_eq!(call(&client).await.unwrap(), "tied");
        assert_eq!((place.auth.counts().refreshes, place.auth.counts().codes), (round, 1));
    }
    std::fs::remove_file(&folder.0).unwrap();
}

#[tokio::test]
async fn a_refresh_whose_token_is_none_loses_nothing_that_came_with_it() {
    let (place, store) = (Place::plain().await, MemoryStore::default());
    let with = || place.oauth().store(store.clone());
    let oauth = with().visitor(Counting::new()).build().unwrap();
    oauth.login().await.unwrap();
    // The refresh token that was shown is used up by these.
    for change in ["access_token", "token_type"] {
        place.auth.change(|settings| settings.token_answer(change, serde_json::json!(["?"])));
        let error = oauth.refresh().await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Token);
        let text = error.to_string();
        assert!(text.contains(change) && text.contains("to refresh with next came with it and is kept"), "{text}");
        place.auth.change(|_| AuthServer::builder());
    }
    // Another process goes on with it as well.
    with().build().unwrap().refresh().await.unwrap();
    oauth.refresh().await.unwrap();
    let counts = place.auth.counts();
    assert_eq!((counts.refused_refreshes, counts.reuses, counts.codes), (0, 0, 1), "{counts:?}");
}
