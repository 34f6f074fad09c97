//! The authorization server and the server it protects, from the outside: what clients get to see of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use std::collections::HashMap;
use std::time::Duration;

use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::MockServer;
use bowline_testkit::authority::{
    Answer, AuthServer, AuthSettings, ChallengeWith, Client, ClientAuth, Endpoint, Iss, MetadataAt, ProtectedServer,
    ProtectedSettings, ResourceMetadataAt, SigningKey, State,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;
use url::form_urlencoded::Serializer;

/// Far more than any answer takes; a test that hangs ends.
const DEADLINE: Duration = Duration::from_secs(30);

/// The verifier and the challenge of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const REDIRECT: &str = "http://127.0.0.1:7/callback";

struct Got {
    status: u16,
    head: HashMap<String, String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

async fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let url = Url::parse(url).unwrap();
    let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = &url[url::Position::BeforePath..];
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let head = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Got { status, head: head.collect(), body: body.to_owned() }
}

async fn get(url: &str) -> Got {
    ask("GET", url, &[], "").await
}

async fn form(url: &str, headers: &[(&str, &str)], members: &[(&str, &str)]) -> Got {
    let body = Serializer::new(String::new()).extend_pairs(members).finish();
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    ask("POST", url, &all, &body).await
}

async fn rpc(server: &ProtectedServer, headers: &[(&str, &str)], method: &str) -> Got {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "it", "version": "1" },
    } });
    let mut all = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    all.extend(headers);
    ask("POST", &server.url(), &all, &body.to_string()).await
}

fn mock() -> MockServer {
    let tool = Tool::new("echo", json!({ "type": "object" }));
    MockServer::builder().tool(tool, |_| async { Ok(CallToolResult::text("ahoy")) }).build()
}

async fn begin(settings: AuthSettings, protected: ProtectedSettings) -> (AuthServer, ProtectedServer) {
    let auth = settings.client(Client::public("app").redirect(REDIRECT)).start().await.unwrap();
    let server = auth.protect(mock(), protected).await.unwrap();
    (auth, server)
}

/// Where the browser is sent back to, and with what.
async fn consent(auth: &AuthServer, resource: &str, more: &[(&str, &str)]) -> HashMap<String, String> {
    let mut url = Url::parse(&format!("{}/authorize", auth.issuer())).unwrap();
    url.query_pairs_mut()
        .extend_pairs([("response_type", "code"), ("client_id", "app"), ("redirect_uri", REDIRECT)])
        .extend_pairs([("code_challenge", CHALLENGE), ("code_challenge_method", "S256"), ("state", "s1")])
        .append_pair("resource", resource)
        .extend_pairs(more);
    let got = get(url.as_str()).await;
    assert_eq!(got.status, 302, "{}", got.body);
    let back = Url::parse(&got.head["location"]).unwrap();
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    back.query_pairs().into_owned().collect()
}

async fn redeem(auth: &AuthServer, resource: &str, code: &str, verifier: &str) -> Got {
    let members = [("grant_type", "authorization_code"), ("client_id", "app"), ("redirect_uri", REDIRECT)];
    let members = [members.as_slice(), &[("code", code), ("code_verifier", verifier), ("resource", resource)]].concat();
    form(&format!("{}/token", auth.issuer()), &[], &members).await
}

async fn login(auth: &AuthServer, server: &ProtectedServer, scope: &str) -> Value {
    let back = consent(auth, &server.resource(), &[("scope", scope)]).await;
    assert_eq!((back["state"].as_str(), back["iss"].as_str()), ("s1", auth.issuer().as_str()));
    let got = redeem(auth, &server.resource(), &back["code"], VERIFIER).await;
    assert_eq!(got.status, 200, "{}", got.body);
    got.json()
}

async fn refresh(auth: &AuthServer, server: &ProtectedServer, token: &Value) -> Got {
    let token = token["refresh_token"].as_str().unwrap();
    let members = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)];
    let resource = server.resource();
    let members = [members.as_slice(), &[("resource", &resource)]].concat();
    form(&format!("{}/token", auth.issuer()), &[], &members).await
}

async fn status_with(server: &ProtectedServer, token: &Value) -> u16 {
    let header = format!("Bearer {}", token["access_token"].as_str().unwrap());
    rpc(server, &[("authorization", &header)], "initialize").await.status
}

#[tokio::test]
async fn a_token_opens_the_server_that_it_is_for_until_it_expires_or_is_revoked() {
    let (auth, server) = begin(AuthSettings::default(), ProtectedSettings::default()).await;
    let other = auth.protect(mock(), ProtectedSettings::default()).await.unwrap();
    assert_eq!(rpc(&server, &[], "initialize").await.status, 401);
    let token = login(&auth, &server, "a").await;
    assert_eq!((status_with(&server, &token).await, status_with(&other, &token).await), (200, 401));
    auth.expire_tokens();
    assert_eq!(status_with(&server, &token).await, 401);
    let fresh = refresh(&auth, &server, &token).await.json();
    assert_eq!(status_with(&server, &fresh).await, 200);
    let members = [("token", fresh["refresh_token"].as_str().unwrap()), ("client_id", "app")];
    assert_eq!(form(&auth.url("/revoke"), &[], &members).await.status, 200);
    assert_eq!(status_with(&server, &fresh).await, 401);
    let counts = auth.counts();
    assert_eq!((counts.codes, counts.tokens, counts.refreshes, counts.revocations), (1, 2, 1, 1));
}

#[tokio::test]
async fn a_code_wants_its_verifier_and_is_used_once() {
    let (auth, server) = begin(AuthSettings::default(), ProtectedSettings::default()).await;
    let resource = server.resource();
    let back = consent(&auth, &resource, &[]).await;
    assert_eq!(redeem(&auth, &resource, &back["code"], "wrong").await.error(), "invalid_grant");
    let back = consent(&auth, &resource, &[]).await;
    let token = redeem(&auth, &resource, &back["code"], VERIFIER).await.json();
    assert_eq!(redeem(&auth, &resource, &back["code"], VERIFIER).await.error(), "invalid_grant");
    assert_eq!(status_with(&server, &token).await, 401, "what came of a code that is used twice is void");
    let back = consent(&auth, "https://elsewhere.example", &[]).await;
    assert_eq!(back["error"], "invalid_target");
    let plain = consent(&auth, &resource, &[("code_challenge_method", "plain")]).await;
    assert!(plain.contains_key("code"), "the first of two counts");
    auth.change(AuthSettings::spent_codes);
    let back = consent(&auth, &resource, &[]).await;
    assert_eq!(redeem(&auth, &resource, &back["code"], VERIFIER).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_everything() {
    let (auth, server) = begin(AuthSettings::default(), ProtectedSettings::default()).await;
    let first = login(&auth, &server, "").await;
    let second = refresh(&auth, &server, &first).await.json();
    assert_eq!(refresh(&auth, &server, &first).await.error(), "invalid_grant");
    assert_eq!(status_with(&server, &second).await, 401);
    assert_eq!(refresh(&auth, &server, &second).await.error(), "invalid_grant");
    assert_eq!((auth.counts().refreshes, auth.counts().refused_refreshes, auth.counts().reuses), (1, 2, 1));

    let (auth, server) = begin(AuthSettings::default().without_rotation(), ProtectedSettings::default()).await;
    let first = login(&auth, &server, "").await;
    for _ in 0..2 {
        let again = refresh(&auth, &server, &first).await.json();
        assert!(again.get("refresh_token").is_none());
        assert_eq!(status_with(&server, &again).await, 200);
    }
}

#[tokio::test]
async fn metadata_is_where_the_layout_has_it_and_nowhere_else() {
    for (path, at, wanted) in [
        ("", MetadataAt::OAuth, "/.well-known/oauth-authorization-server"),
        ("", MetadataAt::OpenIdAppended, "/.well-known/openid-configuration"),
        ("/t/x", MetadataAt::OAuth, "/.well-known/oauth-authorization-server/t/x"),
        ("/t/x", MetadataAt::OpenIdInserted, "/.well-known/openid-configuration/t/x"),
        ("/t/x", MetadataAt::OpenIdAppended, "/t/x/.well-known/openid-configuration"),
    ] {
        let settings = AuthSettings::default().issuer_path(path).metadata_at(&[at]);
        let auth = settings.start().await.unwrap();
        let metadata = get(&auth.url(wanted)).await.json();
        assert_eq!(metadata["issuer"], auth.issuer());
        assert_eq!(metadata["token_endpoint"], format!("{}/token", auth.issuer()));
        assert_eq!(get(&auth.url("/.well-known/nothing")).await.status, 404);
    }
    for (at, wanted) in [
        (ResourceMetadataAt::Inserted, "/.well-known/oauth-protected-resource/api/mcp"),
        (ResourceMetadataAt::Root, "/.well-known/oauth-protected-resource"),
        (ResourceMetadataAt::Path("/hidden.json".to_owned()), "/hidden.json"),
    ] {
        let settings = ProtectedSettings::default().path("/api/mcp").metadata_at(&[at]);
        let (auth, server) = begin(AuthSettings::default(), settings).await;
        let challenge = rpc(&server, &[], "initialize").await.head["www-authenticate"].clone();
        assert_eq!(challenge, format!("Bearer resource_metadata=\"{}{wanted}\"", server.origin()));
        let metadata = get(&format!("{}{wanted}", server.origin())).await.json();
        assert_eq!(metadata["resource"], server.url());
        assert_eq!(metadata["authorization_servers"], json!([auth.issuer()]));
    }
}

#[tokio::test]
async fn a_challenge_says_what_it_is_told_to() {
    for (with, wanted) in [
        (ChallengeWith::MetadataPath, Some("Bearer resource_metadata=\"/.well-known/oauth-protected-resource/mcp\"")),
        (ChallengeWith::NoMetadata, Some("Bearer")),
        (ChallengeWith::Nothing, None),
        (ChallengeWith::Header("Basic, Bearer realm=\"a, b\"".to_owned()), Some("Basic, Bearer realm=\"a, b\"")),
    ] {
        let (_auth, server) = begin(AuthSettings::default(), ProtectedSettings::default().challenge(with)).await;
        let got = rpc(&server, &[], "initialize").await;
        assert_eq!((got.status, got.head.get("www-authenticate").map(String::as_str)), (401, wanted));
    }
    let settings = ProtectedSettings::default().needs_for("tools/call", &["write"]).open_for("ping");
    let (auth, server) = begin(AuthSettings::default(), settings).await;
    assert_ne!(rpc(&server, &[], "ping").await.status, 401);
    let token = login(&auth, &server, "read").await;
    let header = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let got = rpc(&server, &[("authorization", &header)], "tools/call").await;
    assert_eq!(got.status, 403);
    assert!(got.head["www-authenticate"].starts_with("Bearer error=\"insufficient_scope\", scope=\"write\""));
}

#[tokio::test]
async fn clients_register_and_show_themselves_as_they_are_told() {
    let auth = AuthServer::builder().register_as(ClientAuth::SecretPost).start().await.unwrap();
    let wish = json!({ "client_name": "it", "redirect_uris": [REDIRECT], "application_type": "native" });
    let json = [("content-type", "application/json")];
    let got = ask("POST", &auth.url("/register"), &json, &wish.to_string()).await;
    assert_eq!(got.status, 201);
    let client = got.json();
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_post");
    let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
    let members = [("grant_type", "client_credentials"), ("client_id", id), ("resource", "https://r")];
    let with = [members.as_slice(), &[("client_secret", secret)]].concat();
    assert_eq!(form(&auth.url("/token"), &[], &with).await.status, 200);
    assert_eq!(form(&auth.url("/token"), &[], &members).await.error(), "invalid_client");
    auth.forget_clients();
    assert_eq!(form(&auth.url("/token"), &[], &with).await.error(), "invalid_client");
    let refused = ask("POST", &auth.url("/register"), &json, "{}").await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_redirect_uri"));

    let asked = auth.asked();
    assert_eq!(asked[0].param("application_type"), "native");
    assert_eq!(asked[1].param("client_secret"), "\u{2026}");
    let shown = format!("{asked:?} {auth:?} {:?}", auth.counts());
    assert!(!shown.contains(secret), "{shown}");
}

#[tokio::test]
async fn what_comes_back_from_consent_can_be_wrong_in_every_part() {
    let (auth, server) = begin(AuthSettings::default().advertise_iss(false), ProtectedSettings::default()).await;
    let resource = server.resource();
    auth.change(|settings| settings.iss(Iss::Value("{issuer}/".to_owned())).state(State::Value("s2".to_owned())));
    let back = consent(&auth, &resource, &[]).await;
    assert_eq!((back["iss"].clone(), back["state"].as_str()), (format!("{}/", auth.issuer()), "s2"));
    auth.change(|settings| settings.iss(Iss::Absent).state(State::Absent).deny("access_denied", "User said no"));
    let back = consent(&auth, &resource, &[]).await;
    let wanted = [("error", "access_denied"), ("error_description", "User said no")];
    assert_eq!(back, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let elsewhere = auth.url("/authorize?client_id=app&redirect_uri=http://evil.example/");
    assert_eq!(get(&elsewhere).await.error(), "invalid_redirect_uri");
}

#[tokio::test]
async fn any_endpoint_answers_something_else_on_demand() {
    let auth = AuthServer::builder()
        .answer(Endpoint::Metadata, Answer::Html(200))
        .answer_once(Endpoint::Token, Answer::Json(200, json!({ "access_token": 7 })))
        .start()
        .await
        .unwrap();
    let url = auth.url("/.well-known/oauth-authorization-server");
    let page = get(&url).await;
    assert!(page.head["content-type"].starts_with("text/html") && page.body.contains("Please sign in"));
    assert_eq!(form(&auth.url("/token"), &[], &[]).await.json(), json!({ "access_token": 7 }));
    assert_eq!(form(&auth.url("/token"), &[], &[]).await.status, 401);
    auth.change(|settings| settings.answer(Endpoint::Metadata, Answer::Huge(3 << 20)));
    assert!(get(&url).await.body.len() > 3 << 20);
    auth.change(|settings| settings.answer(Endpoint::Metadata, Answer::Redirect("{origin}/x".to_owned())));
    assert_eq!(get(&url).await.head["location"], auth.url("/x"));
    auth.change(|settings| {
        let settings = settings.behave(Endpoint::Metadata).metadata("token_endpoint", "file:///etc/passwd");
        settings.metadata("registration_endpoint", Value::Null).without_metadata("code_challenge_methods_supported")
    });
    let metadata = get(&url).await.json();
    assert_eq!(metadata["token_endpoint"], "file:///etc/passwd");
    assert!(metadata["registration_endpoint"].is_null() && metadata.get("code_challenge_methods_supported").is_none());
}

#[tokio::test]
async fn a_device_waits_for_its_person() {
    let (auth, server) = begin(AuthSettings::default(), ProtectedSettings::default()).await;
    let resource = server.resource();
    let started = form(&auth.url("/device"), &[], &[("client_id", "app"), ("resource", &resource)]).await.json();
    let code = started["device_code"].as_str().unwrap();
    let members = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "app"),
        ("device_code", code),
        ("resource", &resource),
    ];
    assert_eq!(form(&auth.url("/token"), &[], &members).await.error(), "authorization_pending");
    assert_eq!(get(started["verification_uri_complete"].as_str().unwrap()).await.status, 200);
    let token = form(&auth.url("/token"), &[], &members).await.json();
    assert_eq!(status_with(&server, &token).await, 200);
    assert_eq!(form(&auth.url("/token"), &[], &members).await.error(), "invalid_grant");
    assert!(!auth.approve_device("KNOT-9999"));
}

#[tokio::test]
async fn a_company_sign_on_becomes_a_token_of_another_server() {
    let provider = AuthServer::builder()
        .client(Client::secret_basic("sso", "s3"))
        .client_elsewhere("sso", "app")
        .start()
        .await
        .unwrap();
    let settings = AuthSettings::default().trust_server(&provider).client(Client::secret_basic("desk", "s4"));
    let auth = settings.client(Client::public("app")).start().await.unwrap();
    let server = auth.protect(mock(), ProtectedSettings::default()).await.unwrap();
    let subject = provider.id_token("sso", "ann").unwrap();
    let members = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("subject_token", &subject),
        ("audience", &auth.issuer()),
        ("resource", &server.resource()),
    ];
    let basic = [("authorization", "Basic c3NvOnMz")];
    let got = form(&provider.url("/token"), &basic, &members).await;
    assert_eq!(got.json()["token_type"], "N_A", "{}", got.body);
    let assertion = got.json()["access_token"].as_str().unwrap().to_owned();
    let members = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", &assertion),
        ("client_id", "app"),
    ];
    let other = form(&auth.url("/token"), &[("authorization", "Basic ZGVzazpzNA==")], &members[..2]).await;
    assert_eq!(other.error(), "invalid_grant", "it was made for another client");
    let token = form(&auth.url("/token"), &[], &members).await.json();
    assert_eq!(status_with(&server, &token).await, 200, "{token}");
    assert_eq!(form(&auth.url("/token"), &[], &members).await.error(), "invalid_grant", "used twice");
}

#[tokio::test]
async fn a_workload_shows_what_its_platform_signed() {
    let (platform, stranger) = (SigningKey::es256().unwrap(), SigningKey::es256().unwrap());
    let settings = AuthSettings::default().trust("https://ci.example", &platform).any_resource();
    let auth = settings.client(Client::public("job")).start().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (key, audience, end, wanted) in [
        (&platform, auth.issuer(), now + 60, 200),
        (&stranger, auth.issuer(), now + 60, 400),
        (&platform, "https://other.example".to_owned(), now + 60, 400),
        (&platform, auth.issuer(), now - 60, 400),
    ] {
        let claims = json!({ "iss": "https://ci.example", "sub": "job", "aud": audience, "exp": end });
        let assertion = key.sign(&json!({}), &claims).unwrap();
        let members = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", &assertion),
            ("client_id", "job"),
        ];
        assert_eq!(form(&auth.url("/token"), &[], &members).await.status, wanted, "{claims}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_wants_proofs_with_nonces() {
    let key = SigningKey::es256().unwrap();
    let settings = AuthSettings::default().demand_dpop().demand_nonce().client(Client::secret_basic("bot", "s"));
    let (auth, server) = begin(settings, ProtectedSettings::default().demand_nonce()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let proof = |url: &str, id: &str, nonce: Option<&String>, token: Option<&str>| {
        let header = json!({ "typ": "dpop+jwt", "jwk": key.public_jwk() });
        let mut claims = json!({ "htm": "POST", "htu": url, "iat": now, "jti": id });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(token) = token {
            claims["ath"] = json!(hash(token));
        }
        key.sign(&header, &claims).unwrap()
    };
    let (url, basic, resource) = (auth.url("/token"), ("authorization", "Basic Ym90OnM="), server.resource());
    let members = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
    assert_eq!(form(&url, &[basic], &members).await.error(), "invalid_dpop_proof");
    let first = form(&url, &[basic, ("dpop", &proof(&url, "1", None, None))], &members).await;
    assert_eq!(first.error(), "use_dpop_nonce");
    let nonce = first.head.get("dpop-nonce");
    let token = form(&url, &[basic, ("dpop", &proof(&url, "2", nonce, None))], &members).await.json();
    assert_eq!(token["token_type"], "DPoP");
    let token = token["access_token"].as_str().unwrap();

    let bearer = format!("Bearer {token}");
    assert_eq!(rpc(&server, &[("authorization", &bearer)], "initialize").await.status, 401);
    let (header, url) = (format!("DPoP {token}"), server.url());
    let with = |proof: String| {
        let (header, server) = (header.clone(), &server);
        async move { rpc(server, &[("authorization", &header), ("dpop", &proof)], "initialize").await }
    };
    let first = with(proof(&url, "3", None, Some(token))).await;
    assert_eq!(first.status, 401);
    assert!(first.head["www-authenticate"].contains("DPoP error=\"use_dpop_nonce\""));
    let nonce = first.head.get("dpop-nonce");
    assert_eq!(with(proof(&url, "4", nonce, None)).await.status, 401, "the proof is for no token");
    assert_eq!(with(proof(&url, "5", nonce, Some(token))).await.status, 200);
    assert_eq!(with(proof(&url, "5", nonce, Some(token))).await.status, 401, "the proof is used twice");
    server.change_nonce();
    assert_eq!(with(proof(&url, "6", nonce, Some(token))).await.status, 401, "the nonce is an old one");
}

fn hash(text: &str) -> String {
    use base64::Engine;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
}

#[tokio::test]
async fn a_server_of_the_first_revision_gives_tokens_itself() {
    let protected =
        ProtectedSettings::default().metadata_at(&[]).challenge(ChallengeWith::Nothing).host_authorization();
    let (auth, server) = begin(AuthSettings::default().any_resource().metadata_at(&[]), protected).await;
    let origin = server.origin();
    assert_eq!(get(&format!("{origin}/.well-known/oauth-authorization-server")).await.status, 404);
    auth.change(|settings| settings.metadata_at(&[MetadataAt::OAuth]));
    let metadata = get(&format!("{origin}/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["issuer"], origin);
    let (url, wish) = (format!("{origin}/register"), json!({ "redirect_uris": [REDIRECT] }));
    let registered = ask("POST", &url, &[("content-type", "application/json")], &wish.to_string()).await;
    assert_eq!(registered.status, 201);
    assert_eq!(auth.counts().metadata, 2);
}

#[tokio::test]
async fn a_server_that_moves_takes_tokens_of_its_new_place_alone() {
    let (auth, server) = begin(AuthSettings::default(), ProtectedSettings::default()).await;
    let token = login(&auth, &server, "").await;
    let next = AuthServer::builder().client(Client::public("app").redirect(REDIRECT)).start().await.unwrap();
    server.move_to(&next);
    assert_eq!(status_with(&server, &token).await, 401);
    let token = login(&next, &server, "").await;
    assert_eq!(status_with(&server, &token).await, 200);
    server.change(|settings| settings.refuse_all(true));
    assert_eq!(status_with(&server, &token).await, 401);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.scheme == "Bearer" && asked.rpc_method == "initialize"));
    assert!(!format!("{asked:?}{server:?}").contains(token["access_token"].as_str().unwrap()));
}

#[tokio::test]
async fn tokens_of_somebody_else_are_judged_by_whom_a_test_says() {
    let judge = |token: String| async move { (token == "good").then(|| vec!["read".to_owned()]) };
    let settings = ProtectedSettings::default().needs_for("tools/call", &["write"]);
    let server = ProtectedServer::start(mock(), "https://as.example", judge, settings).await.unwrap();
    let metadata = get(&format!("{}/.well-known/oauth-protected-resource/mcp", server.origin())).await.json();
    assert_eq!(metadata["authorization_servers"], json!(["https://as.example"]));
    for (header, method, wanted) in
        [("Bearer good", "initialize", 200), ("Bearer bad", "initialize", 401), ("Bearer good", "tools/call", 403)]
    {
        assert_eq!(rpc(&server, &[("authorization", header)], method).await.status, wanted, "{header} {method}");
    }
}

#[tokio::test]
async fn a_slow_or_silent_endpoint_keeps_its_client_waiting() {
    let auth = AuthServer::builder().answer(Endpoint::Metadata, Answer::Hangs).start().await.unwrap();
    let url = auth.url("/.well-known/oauth-authorization-server");
    let waiting = tokio::spawn(async move { get(&url).await });
    auth.wait_for(|asked| asked.endpoint == Endpoint::Metadata).await;
    assert!(!waiting.is_finished());
    waiting.abort();
    auth.change(|settings| settings.answer(Endpoint::Metadata, Answer::Closed));
    let mut stream =
        TcpStream::connect(auth.url("/").trim_start_matches("http://").trim_end_matches('/')).await.unwrap();
    let request = "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
