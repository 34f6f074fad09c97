//! Finding out who authorizes.

use bowline_testkit::authority::{Answer, ChallengeWith, Client as Known, Iss, MetadataAt, ResourceMetadataAt};

use super::*;

#[tokio::test]
async fn case_auth_001_a_05_resource_metadata_is_looked_for_with_the_path_then_at_the_root() {
    let settings = ProtectedSettings::default().path("/api/v1/mcp").metadata_at(&[ResourceMetadataAt::Root]);
    let world = World::new(AuthSettings::default(), settings.challenge(ChallengeWith::Nothing)).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let wanted = [
        "/.well-known/oauth-protected-resource/api/v1/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
    ];
    assert_eq!(world.looked_at(), wanted);
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_003_a_07_a_08_an_issuer_with_a_path_is_asked_by_insertion_first() {
    let places = [
        (MetadataAt::OAuth, "/.well-known/oauth-authorization-server/tenant/xyz"),
        (MetadataAt::OpenIdInserted, "/.well-known/openid-configuration/tenant/xyz"),
        (MetadataAt::OpenIdAppended, "/tenant/xyz/.well-known/openid-configuration"),
    ];
    for (count, (at, _)) in places.iter().enumerate() {
        let settings = AuthSettings::default().issuer_path("/tenant/xyz").metadata_at(&[*at]);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let client = world.connect(&world.person().build().unwrap()).await.unwrap();
        let looked = world.looked_at();
        let wanted: Vec<_> = places.iter().take(count + 1).map(|(_, path)| *path).collect();
        assert_eq!(looked.get(1..).unwrap(), wanted);
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn a_08_an_issuer_without_a_path_is_asked_as_oauth_then_as_openid() {
    let settings = AuthSettings::default().metadata_at(&[MetadataAt::OpenIdAppended]);
    let world = World::new(settings, ProtectedSettings::default()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    let wanted = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
    assert_eq!(world.looked_at().get(1..).unwrap(), wanted);
    within(client.close()).await.unwrap();
}

// Duty
#[tokio::test]
async fn a_challenge_names_the_metadata_in_whatever_form() {
    let hidden = || ResourceMetadataAt::Path("/meta/data.json".to_owned());
    for challenge in [
        ChallengeWith::MetadataUrl,
        ChallengeWith::MetadataPath,
        ChallengeWith::Header("Basic realm=\"a, b\", Bearer resource_metadata=\"{origin}/meta/data.json\"".to_owned()),
        ChallengeWith::Header("bearer  Resource_Metadata=/meta/data.json".to_owned()),
    ] {
        let settings = ProtectedSettings::default().metadata_at(&[hidden()]).challenge(challenge.clone());
        let world = World::new(AuthSettings::default(), settings).await;
        let client = world.connect(&world.person().build().unwrap()).await;
        let client = client.unwrap_or_else(|error| panic!("{challenge:?}: {error}"));
        assert!(world.server.asked().iter().all(|asked| !asked.path.contains("/.well-known/")), "{challenge:?}");
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn case_auth_001_metadata_that_a_challenge_names_and_nobody_can_ask_for_hides_no_usual_place() {
    for named in ["http://mcp.internal:3000/meta", "http://127.0.0.1:1/meta", "http://[/", "ftp://h/meta"] {
        let header = format!("Bearer resource_metadata=\"{named}\"");
        for (places, is_there) in [(&[ResourceMetadataAt::Root][..], true), (&[], false)] {
            let settings = ProtectedSettings::default().metadata_at(places);
            let settings = settings.challenge(ChallengeWith::Header(header.clone()));
            let world = World::new(AuthSettings::default(), settings).await;
            let connected = world.connect(&world.person().build().unwrap()).await;
            assert_eq!(connected.is_ok(), is_there, "{named}");
            // Where there is none at all, what was named is what there is to mend.
            if let Err(error) = connected {
                let (_, text) = told(&error);
                assert!(text.contains(named.trim_end_matches("meta")), "{named}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn case_auth_004_a_09_the_issuer_is_compared_to_the_letter() {
    for (issuer, lenient) in [("{issuer}/", true), ("http://localhost:1", false), ("{issuer}//", false)] {
        let settings = AuthSettings::default().metadata("issuer", issuer).iss(Iss::Absent).advertise_iss(false);
        let world = World::new(settings, ProtectedSettings::default()).await;
        let error = world.refusal(world.person()).await;
        let (kind, text) = told(&error);
        let got = issuer.replace("{issuer}", &world.auth.issuer());
        assert_eq!(kind, AuthErrorKind::Discovery);
        assert!(text.contains(&world.auth.issuer()) && text.contains(&got), "{text}");
        assert!(world.asked(Endpoint::Register).is_empty() && world.asked(Endpoint::Authorize).is_empty());
        let taken = world.connect(&world.person().lenient_issuer_slash().build().unwrap()).await;
        assert_eq!(taken.is_ok(), lenient, "{issuer}");
    }
}

#[tokio::test]
async fn case_auth_005_an_open_server_is_asked_nothing_of_authorization() {
    let auth = AuthServer::builder().without_registration().start().await.unwrap();
    let settings = ProtectedSettings::default().path("/mcp/KEY123").open().host_authorization();
    let server = auth.protect(mock(), settings).await.unwrap();
    let world = World { auth, server };
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!(world.looked_at(), [""; 0]);
    assert!(world.server.asked().iter().all(|asked| asked.scheme.is_empty()));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_015_a_21_the_resource_is_sent_as_the_metadata_writes_it() {
    let settings = ProtectedSettings::default().metadata_at(&[ResourceMetadataAt::Root]);
    let world = World::new(AuthSettings::default(), settings.metadata("resource", "{origin}")).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    world.auth.expire_tokens();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let asked = [world.asked(Endpoint::Authorize), world.asked(Endpoint::Token)].concat();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.param("resource") == world.server.origin()), "{asked:?}");
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_auth_019_a_06_the_resource_is_the_server_a_slash_at_the_root_aside() {
    let settings = ProtectedSettings::default().path("/").metadata_at(&[ResourceMetadataAt::Root]);
    let world = World::new(AuthSettings::default(), settings.metadata("resource", "{origin}")).await;
    assert!(world.server.url().ends_with('/'));
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    within(client.close()).await.unwrap();

    world.server.change(|settings| settings.metadata("resource", "https://evil.example"));
    let (kind, text) = told(&world.refusal(world.person()).await);
    assert_eq!(kind, AuthErrorKind::Discovery);
    assert!(text.contains("https://evil.example") && text.contains(&world.server.origin()), "{text}");
}

#[tokio::test]
async fn a_06_a_server_that_shares_its_host_gets_no_token_for_all_of_it() {
    for place in [ResourceMetadataAt::Path("/a/data.json".to_owned()), ResourceMetadataAt::Inserted] {
        let settings = ProtectedSettings::default().path("/a/mcp").metadata_at(&[place]);
        let world = World::new(AuthSettings::default(), settings.metadata("resource", "{origin}")).await;
        let (kind, text) = told(&world.refusal(world.person()).await);
        assert_eq!(kind, AuthErrorKind::Discovery);
        assert!(text.contains("`resource`") && text.contains(&world.server.url()), "{text}");
        assert!(world.auth.asked().is_empty());
    }
}

#[tokio::test]
async fn a_token_for_another_resource_than_the_one_of_now_is_not_refreshed() {
    let settings = ProtectedSettings::default().metadata_at(&[ResourceMetadataAt::Root]);
    let world = World::new(AuthSettings::default(), settings.metadata("resource", "{origin}")).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    world.server.change(|settings| settings.metadata("resource", "{origin}/mcp"));
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let asked = world.asked(Endpoint::Token);
    let grants: Vec<_> = asked.iter().map(|asked| asked.param("grant_type")).collect();
    assert_eq!(grants, ["authorization_code", "authorization_code"]);
    assert_eq!(asked.last().unwrap().param("resource"), world.server.url());
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn a_18_only_the_issuer_that_is_trusted_is_asked_whoever_this_program_is() {
    let old = || {
        let settings = ProtectedSettings::default().metadata_at(&[]).challenge(ChallengeWith::Nothing);
        settings.host_authorization()
    };
    for settings in [ProtectedSettings::default(), old()] {
        let world = World::new(AuthSettings::default().any_resource(), settings).await;
        let (kind, text) = told(&world.refusal(world.person().issuer("https://mine.example")).await);
        assert_eq!(kind, AuthErrorKind::Registration);
        assert!(text.contains("https://mine.example") && text.contains("127.0.0.1"), "{text}");
        for endpoint in [Endpoint::Register, Endpoint::Authorize, Endpoint::Token] {
            assert!(world.asked(endpoint).is_empty());
        }
    }
    // It is taken wherever it stands among those that are named.
    let world = World::plain().await;
    let other = AuthServer::builder().start().await.unwrap();
    world.server.trust(&other);
    let client = world.connect(&world.person().issuer(other.issuer()).build().unwrap()).await.unwrap();
    assert_eq!((world.auth.counts().tokens, other.counts().tokens), (0, 1));
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn a_place_that_leads_elsewhere_or_fails_hides_no_other_place() {
    use bowline_testkit::http::{HttpServer, Reply};

    let auth = AuthSettings::default().any_resource().start().await.unwrap();
    for spoiled in [302, 503, 200] {
        let issuer = auth.issuer();
        let server = HttpServer::start(move |request| {
            let issuer = issuer.clone();
            let resource = format!("http://{}/mcp", request.header("host"));
            async move {
                match request.path.as_str() {
                    "/mcp" => Reply::status(401),
                    "/.well-known/oauth-protected-resource" => {
                        Reply::json(json!({ "resource": resource, "authorization_servers": [issuer] }))
                    }
                    _ => Reply::json(json!({ "message": "not found" })).code(spoiled).with("location", "/sign-in"),
                }
            }
        });
        let server = server.await.unwrap();
        let oauth = OAuth::builder(server.url("/mcp")).visitor(headless()).build().unwrap();
        assert!(within(oauth.login()).await.unwrap().authorized);
        assert!(server.requests().iter().all(|request| request.path != "/sign-in"));
    }
}

#[tokio::test]
async fn an_endpoint_that_a_login_does_without_spoils_none() {
    for bad in ["http://internal:8080/x", "n/a", "javascript:alert(1)"] {
        let auth = AuthSettings::default();
        let auth = auth.metadata("revocation_endpoint", bad).metadata("device_authorization_endpoint", bad);
        let world = World::new(auth, ProtectedSettings::default()).await;
        let oauth = world.person().build().unwrap();
        assert!(within(oauth.login()).await.unwrap().authorized, "{bad}");
        let done = within(oauth.logout()).await.unwrap();
        assert!(done.was_authorized && !done.revoked, "{bad}");
    }
}

// Duty
#[tokio::test]
async fn a_server_of_2025_03_26_has_its_metadata_at_its_root_or_default_endpoints() {
    for places in [&[MetadataAt::OAuth][..], &[]] {
        let settings = ProtectedSettings::default().metadata_at(&[]).challenge(ChallengeWith::Nothing);
        let auth = AuthSettings::default().any_resource().metadata_at(places);
        let world = World::new(auth, settings.host_authorization()).await;
        let client = world.connect(&world.person().build().unwrap()).await.unwrap();
        assert_eq!(echo(&client).await.unwrap(), "ahoy");
        let looked: Vec<_> = world.auth.asked().into_iter().filter(|asked| asked.path.contains("well-known")).collect();
        assert!(!looked.is_empty() && looked.iter().all(|asked| asked.protocol_version == "2025-03-26"), "{looked:?}");
        let paths: Vec<_> = world.auth.asked().into_iter().map(|asked| asked.path).collect();
        assert!(paths.ends_with(&["/register".to_owned(), "/authorize".to_owned(), "/token".to_owned()]), "{paths:?}");
        within(client.close()).await.unwrap();
    }
}

#[tokio::test]
async fn metadata_of_a_host_is_held_to_pkce_and_may_write_the_host_with_a_slash() {
    let old = || {
        let settings = ProtectedSettings::default().metadata_at(&[]).challenge(ChallengeWith::Nothing);
        settings.host_authorization()
    };
    let auth = || AuthSettings::default().any_resource().iss(Iss::Absent).advertise_iss(false);
    let world = World::new(auth().metadata("issuer", "{issuer}/"), old()).await;
    let client = world.connect(&world.person().build().unwrap()).await.unwrap();
    within(client.close()).await.unwrap();
    let silent = World::new(auth().without_metadata("code_challenge_methods_supported"), old()).await;
    let (kind, text) = told(&silent.refusal(silent.person()).await);
    assert_eq!(kind, AuthErrorKind::Discovery);
    assert!(text.contains("S256"), "{text}");
}

#[test]
fn a_01_a_program_is_no_server_to_log_in_to() {
    for server in ["npx some-server", "stdio:npx some-server", "unix:/run/mcp", "tcp:localhost:1"] {
        assert_eq!(OAuth::builder(server).build().unwrap_err().kind(), AuthErrorKind::Config, "{server}");
    }
}

#[tokio::test]
async fn one_of_several_authorization_servers_is_chosen() {
    let world = World::plain().await;
    let other = AuthServer::builder().start().await.unwrap();
    world.server.trust(&other);
    let second = other.issuer();
    let oauth = world.person().choose_issuer(move |all| all.iter().position(|issuer| *issuer == second));
    let client = world.connect(&oauth.build().unwrap()).await.unwrap();
    assert_eq!((world.auth.counts().tokens, other.counts().tokens), (0, 1));
    within(client.close()).await.unwrap();
    let (kind, text) = told(&world.refusal(world.person().choose_issuer(|_| None)).await);
    assert_eq!(kind, AuthErrorKind::Discovery);
    assert!(text.contains(&other.issuer()), "{text}");
}

#[tokio::test]
async fn an_authorization_server_that_cannot_be_had_leaves_the_others() {
    let pages = AuthServer::builder().answer(Endpoint::Metadata, Answer::Html(200)).start().await.unwrap();
    let other = AuthServer::builder().metadata("issuer", "https://evil.example").start().await.unwrap();
    for (first, why) in [
        ("http://127.0.0.1:1".to_owned(), "cannot connect to http://127.0.0.1:1/"),
        ("http://as.internal:8080/realms/x".to_owned(), "not https"),
        (pages.issuer(), "HTML"),
        (other.issuer(), "https://evil.example"),
    ] {
        let world = World::plain().await;
        let name = |issuers: Vec<String>| {
            world.server.change(|settings| settings.metadata("authorization_servers", issuers));
        };
        name(vec![first.clone(), world.auth.issuer()]);
        let client = world.connect(&world.person().build().unwrap()).await.unwrap();
        assert_eq!((echo(&client).await.unwrap().as_str(), world.auth.counts().tokens), ("ahoy", 1), "{first}");
        within(client.close()).await.unwrap();
        // An id is one at one of them, and the first is the only one that it may be known to.
        let (_, text) = told(&world.refusal(world.person().client_id("abc")).await);
        assert!(text.contains(why), "{text}");
        // Where none can be had, the first is what there is to mend.
        name(vec![first, pages.issuer()]);
        let (_, text) = told(&world.refusal(world.person()).await);
        assert!(text.contains(why), "{text}");
        assert_eq!(world.auth.counts().tokens, 1);
    }
}

// Duty: A-20
#[tokio::test]
async fn nobody_is_sent_to_a_server_that_does_not_say_that_it_does_pkce() {
    for settings in [
        AuthSettings::default().without_metadata("code_challenge_methods_supported"),
        AuthSettings::default().metadata("code_challenge_methods_supported", vec!["plain"]),
    ] {
        let world = World::new(settings, ProtectedSettings::default()).await;
        let (kind, text) = told(&world.refusal(world.person()).await);
        assert_eq!(kind, AuthErrorKind::Discovery);
        assert!(text.contains("S256"), "{text}");
        assert!(world.asked(Endpoint::Authorize).is_empty());
    }
}

// Duty: A-18
#[tokio::test]
async fn credentials_stay_with_the_issuer_when_the_server_moves_to_another() {
    let world = World::plain().await;
    let oauth = world.person().build().unwrap();
    let client = world.connect(&oauth).await.unwrap();
    let first = world.asked(Endpoint::Authorize).remove(0).param("client_id").to_owned();
    let next = AuthServer::builder().start().await.unwrap();
    world.server.move_to(&next);
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    assert_eq!((next.counts().registrations, next.counts().refused_refreshes), (1, 0));
    assert!(next.asked().iter().all(|asked| asked.param("client_id") != first && !asked.has("refresh_token")));
    within(client.close()).await.unwrap();

    // With an id of somebody's own the change is told.
    let redirect = "http://127.0.0.1/callback";
    let known = |settings: AuthSettings| settings.client(Known::public("mine").redirect(redirect));
    let world = World::new(known(AuthSettings::default()), ProtectedSettings::default()).await;
    let oauth = world.person().client_id("mine").build().unwrap();
    let client = world.connect(&oauth).await.unwrap();
    let next = known(AuthSettings::default()).start().await.unwrap();
    world.server.move_to(&next);
    let (kind, text) = told(&echo(&client).await.unwrap_err());
    assert_eq!(kind, AuthErrorKind::Registration);
    assert!(text.contains(&world.auth.issuer()) && text.contains(&next.issuer()), "{text}");
    assert!(next.asked().iter().all(|asked| !asked.has("client_id")));
    within(client.close()).await.unwrap();
}
