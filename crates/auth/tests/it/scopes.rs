//! Scopes that a server wants later.

use bowline_auth::AuthErrorKind;
use bowline_testkit::authority::{AuthServer, ProtectedSettings};

use crate::support::{Counting, Place, auth_error, call, connect};

#[tokio::test]
async fn case_auth_012_a_step_up_asks_for_the_union_and_repeats_the_call() {
    let settings = ProtectedSettings::default().challenge_scope("files:read").needs_for("tools/call", &["files:write"]);
    let place = Place::new(AuthServer::builder(), settings).await;
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    assert_eq!(call(&client).await.unwrap(), "tied");
    assert_eq!(visitor.visits(), 2);
    let asked = place.auth.asked();
    let last = asked.iter().rev().find(|asked| asked.has("code_challenge")).unwrap();
    assert_eq!(last.param("scope"), "files:read files:write");
}

#[tokio::test]
async fn a_39_scopes_that_are_not_granted_end_in_an_error_that_names_them() {
    let settings = ProtectedSettings::default().challenge_scope("files:read").needs_for("tools/call", &["files:write"]);
    let place = Place::new(AuthServer::builder().grant_only(&["files:read"]), settings).await;
    let visitor = Counting::new();
    let oauth = place.oauth().visitor(visitor.clone()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    for _ in 0..3 {
        let error = auth_error(&call(&client).await.unwrap_err());
        assert_eq!((error.kind(), error.scopes()), (AuthErrorKind::Scope, &["files:write".to_owned()][..]));
        assert!(error.to_string().contains("files:write"), "{error}");
    }
    assert_eq!(visitor.visits(), 2, "nobody is asked again for what was not granted");
}

#[tokio::test]
async fn a_39_scopes_that_the_server_is_content_with_do_not_use_up_those_to_come() {
    let settings = ProtectedSettings::default().challenge_scope("s").needs_for("tools/call", &["s0"]);
    let place = Place::new(AuthServer::builder(), settings).await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    for round in 0..20 {
        let scope = format!("s{round}");
        place.server.change(|settings| settings.needs_for("tools/call", &[scope.as_str()]));
        assert_eq!(call(&client).await.unwrap(), "tied", "{round}");
    }
}
