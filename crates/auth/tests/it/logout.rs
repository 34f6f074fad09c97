//! The end.

use bowline_auth::{FileStore, StoreKey};
use bowline_testkit::authority::{Answer, Endpoint};

use crate::support::{Counting, Folder, Place, call, connect};

#[tokio::test]
async fn a_logout_revokes_and_forgets_and_keeps_the_registration() {
    let place = Place::plain().await;
    let folder = Folder::new("logout");
    let oauth = place.oauth().store(FileStore::new(&folder.0)).visitor(Counting::new()).build().unwrap();
    let client = connect(&place, &oauth).await.unwrap();
    call(&client).await.unwrap();
    let done = oauth.logout().await.unwrap();
    assert!(done.was_authorized && done.revoked, "{done:?}");
    assert!(place.auth.counts().revocations >= 1);
    assert!(!oauth.status().await.unwrap().authorized);
    // The next process finds nothing to use, and need not register.
    let next = place.oauth().store(FileStore::new(&folder.0)).visitor(Counting::new()).build().unwrap();
    assert!(!next.status().await.unwrap().authorized);
    next.login().await.unwrap();
    assert_eq!(place.auth.counts().registrations, 1);
    assert!(!oauth.logout().await.unwrap().revoked || oauth.status().await.is_ok());
}

#[tokio::test]
async fn a_server_that_does_not_revoke_is_told_and_the_tokens_are_forgotten() {
    let place = Place::plain().await;
    let oauth = place.oauth().visitor(Counting::new()).build().unwrap();
    oauth.login().await.unwrap();
    place.auth.change(|settings| settings.answer(Endpoint::Revoke, Answer::Html(500)));
    let done = oauth.logout().await.unwrap();
    assert!(done.was_authorized && !done.revoked, "{done:?}");
    assert!(!oauth.status().await.unwrap().authorized);
}

#[tokio::test]
async fn credentials_that_cannot_be_read_can_be_forgotten() {
    let place = Place::plain().await;
    let folder = Folder::new("unreadable");
    let store = FileStore::new(&folder.0);
    let oauth = place.oauth().store(store.clone()).visitor(Counting::new()).build().unwrap();
    oauth.login().await.unwrap();
    let file = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    std::fs::write(&file, r#"{"version":1,"text":"nonsense"}"#).unwrap();
    let next = place.oauth().store(store).visitor(Counting::new()).build().unwrap();
    assert!(next.status().await.is_err());
    next.logout().await.unwrap();
    assert!(!next.status().await.unwrap().authorized && !file.exists());
}

#[tokio::test]
async fn a_32_credentials_whose_key_is_lost_or_that_are_damaged_can_be_forgotten() {
    let place = Place::plain().await;
    for damaged in [false, true] {
        let folder = Folder::new("lost");
        let store = FileStore::new(&folder.0);
        let sealed = store.clone().encrypted(StoreKey::generate().unwrap());
        place.oauth().store(sealed).visitor(Counting::new()).build().unwrap().login().await.unwrap();
        let files = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
        let file = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
        if damaged {
            std::fs::write(&file, "{").unwrap();
        }
        let next = place.oauth().store(store).build().unwrap();
        assert!(next.status().await.is_err());
        next.logout().await.unwrap();
        assert!(!next.status().await.unwrap().authorized && !file.exists());
    }
}
