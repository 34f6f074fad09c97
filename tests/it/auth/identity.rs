//! Who the program is to an authorization server.

use bowline::auth::PrivateKey;
use bowline_testkit::authority::{Answer, Client as Known, ClientAuth, SigningKey};

use super::*;

/// Where nobody listens, which is what a visitor without a listener registers.
const REDIRECT: &str = "http://127.0.0.1/callback";

#[tokio::test]
async fn case_auth_020_without_registration_and_id_the_error_names_the_option() {
    for settings in [
        AuthSettings::default().without_registration(),
        AuthSettings::default().metadata("registration_endpoint", serde_json::Value::Null),
    ] {
        let world = World::new(settings, ProtectedSettings::default()).await;
        let (kind, text) = told(&world.refusal(world.person()).await);
        assert_eq!(kind, AuthErrorKind::Registration);
        assert!(text.contains("client_id"), "{text}");
        assert!(world.asked(Endpoint::Register).is_empty());
    }
}

// Duty
#[tokio::test]
async fn case_auth_021_an_id_that_is_given_is_used_and_nothing_registered() {
    for settings in [AuthSettings::default(), AuthSettings::default().without_registration()] {
        let settings = settings.client(Known::public("abc").redirect(REDIRECT));
        let world = World::new(settings, ProtectedSettings::default()).await;
        let client = world.connect(&world.person().client_id("abc").build().unwrap()).await.unwrap();
        assert_eq!(world.auth.counts().registrations, 0);
        assert_eq!(world.asked(Endpoint::Authorize)[0].param("client_id"), "abc");
        within(client.close()).await.unwrap();
    }
    for (known, method) in [
        (Known::secret_basic("abc", "s&1"), ClientAuth::SecretBasic),
        (Known::secret_post("abc", "s&1"), ClientAuth::SecretPost),
    ] {
        let settings = AuthSettings::default().client(known.redirect(REDIRECT));
        let settings = settings.metadata("token_endpoint_auth_methods_supported", vec![method.as_str()]);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let oauth = world.person().issuer(world.auth.issuer()).client_id("abc").client_secret("s&1").build().unwrap();
        let client = world.connect(&oauth).await.unwrap();
        let asked = world.asked(Endpoint::Token).remove(0);
        assert_eq!(asked.scheme == "Basic", method == ClientAuth::SecretBasic);
        assert_eq!(asked.has("client_secret"), method == ClientAuth::SecretPost);
        within(client.close()).await.unwrap();
    }
}

// Duty
#[tokio::test]
async fn a_registration_says_what_kind_of_program_it_is() {
    let world = World::plain().await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    let asked = world.asked(Endpoint::Register).remove(0);
    assert_eq!((asked.param("application_type"), asked.param("client_name")), ("native", "it"));
    assert_eq!(asked.param("token_endpoint_auth_method"), "none");
    assert!(asked.param("grant_types").contains("refresh_token"), "{asked:?}");
    within(client.close()).await.unwrap();

    let answer = Answer::Json(400, json!({ "error": "invalid_redirect_uri", "error_description": "no loopback here" }));
    let world =
        World::new(AuthSettings::default().answer(Endpoint::Register, answer), ProtectedSettings::default()).await;
    let (kind, text) = told(&world.refusal(world.person()).await);
    assert_eq!(
        (kind, below(&world.refusal(world.person()).await).code()),
        (AuthErrorKind::Registration, Some("invalid_redirect_uri"))
    );
    assert!(text.contains("redirect_uri"), "{text}");
}

#[tokio::test]
async fn case_auth_025_a_server_that_takes_no_public_clients_gets_one_with_a_secret() {
    let refuses =
        Answer::Json(400, json!({ "error": "invalid_client_metadata", "error_description": "no `none` here" }));
    let settings = AuthSettings::default().without_metadata("token_endpoint_auth_methods_supported");
    let settings = settings.answer_once(Endpoint::Register, refuses.clone());
    let world = World::new(settings.clone(), ProtectedSettings::default()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    let methods = world.asked(Endpoint::Register);
    let methods = methods.iter().map(|asked| asked.param("token_endpoint_auth_method")).collect::<Vec<_>>();
    assert_eq!(methods, ["none", "client_secret_basic"]);
    assert_eq!(world.asked(Endpoint::Token)[0].scheme, "Basic");
    within(client.close()).await.unwrap();
    // Twice is enough, and one that lists what it takes is not asked for anything else.
    let listed = AuthSettings::default().metadata("token_endpoint_auth_methods_supported", vec!["none"]);
    for (settings, asked) in [(settings, 2), (listed, 1)] {
        let world =
            World::new(settings.answer(Endpoint::Register, refuses.clone()), ProtectedSettings::default()).await;
        let (kind, text) = told(&world.refusal(world.person()).await);
        assert_eq!((kind, world.asked(Endpoint::Register).len()), (AuthErrorKind::Registration, asked));
        assert!(text.contains("no `none` here") && text.contains("client_id"), "{text}");
    }
}

#[tokio::test]
async fn a_secret_that_has_ended_by_the_clock_of_this_machine_is_used_once() {
    let known = Known::secret_basic("abc", "s-SECRET").redirect(REDIRECT);
    let registered = json!({ "client_id": "abc", "client_secret": "s-SECRET", "client_secret_expires_at": 1_000 });
    let settings = AuthSettings::default().client(known).answer(Endpoint::Register, Answer::Json(201, registered));
    let world = World::new(settings, ProtectedSettings::default()).await;
    let oauth = world.person().build().unwrap();
    for logins in 1..3 {
        assert!(within(oauth.login()).await.unwrap().authorized);
        assert_eq!(world.asked(Endpoint::Register).len(), logins, "the next login registers anew");
    }
}

// Duty
#[tokio::test]
async fn a_document_is_the_id_where_the_server_takes_such() {
    let url = "https://me.example/client.json";
    let document = json!({ "client_id": url, "client_name": "it", "redirect_uris": [REDIRECT] });
    let settings = AuthSettings::default().client_document(url, &document);
    let world = World::new(settings, ProtectedSettings::default()).await;
    let client = world.connect(&world.person().client_metadata_url(url).build().unwrap()).await.unwrap();
    assert_eq!(world.auth.counts().registrations, 0);
    assert_eq!(world.asked(Endpoint::Authorize)[0].param("client_id"), url);
    within(client.close()).await.unwrap();

    let world = World::plain().await;
    let client = world.connect(&world.person().client_metadata_url(url).build().unwrap()).await.unwrap();
    assert_eq!(world.auth.counts().registrations, 1, "where it does not take documents, the program registers");
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_025_a_public_client_sends_no_secret_at_all() {
    let settings = AuthSettings::default().register_as(ClientAuth::None);
    let world = World::new(settings, ProtectedSettings::default()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    world.auth.expire_tokens();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let asked = world.asked(Endpoint::Token);
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert!(asked.scheme.is_empty() && !asked.has("client_secret") && asked.has("client_id"), "{asked:?}");
        assert_eq!(asked.status, 200);
    }
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn a_program_acts_for_itself_with_a_secret_or_a_key() {
    for way in ["basic", "post", "es256", "rs256"] {
        let key = if way == "rs256" { SigningKey::rs256().unwrap() } else { SigningKey::es256().unwrap() };
        let (known, methods) = match way {
            "basic" => (Known::secret_basic("bot", "s"), "client_secret_basic"),
            "post" => (Known::secret_post("bot", "s"), "client_secret_post"),
            _ => (Known::private_key_jwt("bot", &key), "private_key_jwt"),
        };
        let settings = AuthSettings::default().client(known).without_registration();
        let settings = settings.metadata("token_endpoint_auth_methods_supported", vec![methods]);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let oauth = world.nobody().issuer(world.auth.issuer()).client_id("bot").client_credentials();
        let oauth = match way {
            "basic" | "post" => oauth.client_secret("s"),
            _ => oauth.client_key(PrivateKey::from_pem(&key.pem()).unwrap()),
        };
        let client = world.connect(&oauth.build().unwrap()).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        world.auth.expire_tokens();
        assert_eq!(echo(&client).await.unwrap(), "ahoy", "{way}");
        within(client.close()).await.unwrap();
    }
}
