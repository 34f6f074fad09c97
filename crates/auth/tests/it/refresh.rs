//! Keeping a token fresh: once for all that wait.

use bowline_auth::{FileStore, MemoryStore};
use bowline_testkit::authority::{Answer, AuthServer, Endpoint, ProtectedSettings};

use crate::support::{Counting, Folder, Place, auth_error, call, connect};

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
    {
        let call = call(&client);
        tokio::pin!(call);
        // Up to where the refresh token is used up.
        tokio::select! {
            _ = &mut call => panic!("the call was to be given up"),
            _ = place.auth.wait_for(|asked| asked.param("grant_type") == "refresh_token") => {}
        }
    }
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
    place.auth.change(|settings| settings.answer_once(Endpoint::Token, Answer::Html(503)));
    let error = auth_error(&call(&client).await.unwrap_err());
    assert!(error.to_string().contains("503") && error.to_string().contains("HTML"), "{error}");
    assert!(oauth.status().await.unwrap().refreshable);
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
async fn a_refresh_by_hand_gets_a_fresh_token() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    assert!(oauth.refresh().await.unwrap_err().is_login_required());
    oauth.login().await.unwrap();
    assert!(oauth.refresh().await.unwrap().authorized);
    assert_eq!(place.auth.counts().refreshes, 1);
}
