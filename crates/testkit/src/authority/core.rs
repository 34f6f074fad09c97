//! Requests to an authorization server, sorted and answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Endpoint};
use super::clients::{Client, ClientAuth};
use super::form::Form;
use super::jwt::{SigningKey, secret};
use super::ledger::Ledger;
use super::log::{Asked, Log};
use super::refusal::Refusal;
use super::settings::AuthSettings;
use super::{assertion, layout};
use crate::http::{HttpRequest, Reply};

/// What an authorization server is, behind whatever port.
pub(super) struct Core {
    pub(super) settings: Mutex<AuthSettings>,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) nonce: Mutex<String>,
    pub(super) log: Log,
    pub(super) key: SigningKey,
}

/// Where a request came in.
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) issuer: String,
}

impl Place {
    pub(super) fn of(request: &HttpRequest, issuer_path: &str) -> Self {
        let origin = format!("http://{}", request.header("host"));
        Self { issuer: format!("{origin}{issuer_path}"), origin }
    }

    /// Fills in the names of places.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{origin}", &self.origin).replace("{issuer}", &self.issuer)
    }
}

/// A request to the authorization server, with what it is judged by.
pub(super) struct Question<'a> {
    pub(super) settings: &'a AuthSettings,
    pub(super) place: &'a Place,
    pub(super) request: &'a HttpRequest,
    pub(super) form: &'a Form,
}

impl Core {
    pub(super) fn new(settings: AuthSettings) -> std::io::Result<Self> {
        Ok(Self {
            settings: Mutex::new(settings),
            ledger: Mutex::default(),
            nonce: Mutex::new(secret("nonce")),
            log: Log::new(),
            key: SigningKey::es256()?,
        })
    }

    pub(super) async fn handle(&self, request: HttpRequest) -> Reply {
        let settings = lock(&self.settings).clone();
        let path = request.path.split('?').next().unwrap_or_default();
        let endpoint = layout::endpoint(path, &settings.issuer_path, &settings.metadata_at);
        let place = Place::of(&request, &settings.issuer_path);
        let form = match request.method {
            Method::POST => Form::read(&request.body),
            _ => Form::query(&request.path),
        };
        let mut asked = Asked::new(endpoint, &request);
        asked = match endpoint {
            Endpoint::Register => asked.with_json(&request.json()),
            _ => asked.with_params(form.iter()),
        };
        {
            let mut ledger = lock(&self.ledger);
            ledger.counts.metadata += u64::from(layout::is_discovery(path));
            ledger.counts.token_requests += u64::from(endpoint == Endpoint::Token);
        }
        if let Some(answer) = self.instead(endpoint) {
            if let Answer::Slow(time) = &answer {
                tokio::time::sleep(*time).await;
            }
            if let Some(reply) = answer.reply(|text| place.fill(text)) {
                asked.status = reply.status_code();
                self.log.push(asked);
                return reply;
            }
        }
        let question = Question { settings: &settings, place: &place, request: &request, form: &form };
        let outcome = match (endpoint, &request.method) {
            (Endpoint::Metadata, &Method::GET) => Ok(Reply::json(metadata(&question))),
            (Endpoint::Keys, &Method::GET) => Ok(Reply::json(json!({ "keys": [self.key.public_jwk()] }))),
            (Endpoint::Register, &Method::POST) => self.register(&question),
            (Endpoint::Authorize, &Method::GET) => self.authorize(&question),
            (Endpoint::Token, &Method::POST) => self.token(&question),
            (Endpoint::Revoke, &Method::POST) => self.revoke(&question),
            (Endpoint::Device, &Method::POST) => self.begin_device(&question),
            (Endpoint::Device, &Method::GET) => Ok(self.visit_device(&question)),
            _ => Ok(Reply::status(404)),
        };
        let reply = outcome.unwrap_or_else(|refusal| {
            refusal.error.clone_into(&mut asked.error);
            refusal.reply()
        });
        asked.status = reply.status_code();
        self.log.push(asked);
        reply.with("date", self.date())
    }

    /// The time of its clock, as answers tell it.
    pub(super) fn date(&self) -> String {
        let since = Duration::from_secs(u64::try_from(self.now()).unwrap_or_default());
        httpdate::fmt_http_date(UNIX_EPOCH + since)
    }

    /// What is answered in place of the right thing, this time.
    fn instead(&self, endpoint: Endpoint) -> Option<Answer> {
        let mut settings = lock(&self.settings);
        let (answer, once) = settings.answers.get(&endpoint)?.clone();
        if once {
            settings.answers.remove(&endpoint);
        }
        Some(answer)
    }

    /// The time in seconds since 1970, as this server's clock has it.
    pub(super) fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX).saturating_add(lock(&self.settings).clock_ahead)
    }

    pub(super) fn client(&self, id: &str, settings: &AuthSettings) -> Option<Client> {
        settings.clients.get(id).cloned().or_else(|| lock(&self.ledger).clients.get(id).cloned())
    }

    /// Registers a client (RFC 7591).
    fn register(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let Question { settings, request, .. } = question;
        if !settings.registers {
            return Ok(Reply::status(404));
        }
        let wish = request.json();
        let redirects = wish.get("redirect_uris").and_then(Value::as_array);
        let names_all = redirects.is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string));
        if !names_all && has_code(&wish) {
            return Err(Refusal::new("invalid_redirect_uri", "a client that is redirected to says where"));
        }
        let mut client = Client::from_document(&secret("client"), &wish);
        client.auth = settings.registered_as.unwrap_or(client.auth);
        let mut answer = wish.as_object().cloned().unwrap_or_default();
        answer.insert("client_id".to_owned(), client.id.as_str().into());
        answer.insert("token_endpoint_auth_method".to_owned(), client.auth.as_str().into());
        if matches!(client.auth, ClientAuth::SecretBasic | ClientAuth::SecretPost) {
            client.secret = secret("secret");
            answer.insert("client_secret".to_owned(), client.secret.as_str().into());
            answer.insert("client_secret_expires_at".to_owned(), 0.into());
        }
        let mut ledger = lock(&self.ledger);
        ledger.counts.registrations += 1;
        ledger.clients.insert(client.id.clone(), client);
        Ok(Reply::json(Value::Object(answer)).code(201))
    }

    /// Makes a token void (RFC 7009).
    fn revoke(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let client = self.authenticate(question)?;
        let token = question.form.needed("token")?;
        lock(&self.ledger).revoke(token, &client.id);
        Ok(Reply::status(200))
    }
}

/// Whether a client that registers is to use codes, as it is where it says nothing.
fn has_code(wish: &Value) -> bool {
    let grants = wish.get("grant_types").and_then(Value::as_array);
    grants.is_none_or(|grants| grants.iter().any(|grant| grant == "authorization_code"))
}

fn metadata(question: &Question<'_>) -> Value {
    let Question { settings, place, .. } = question;
    let issuer = &place.issuer;
    let methods = [ClientAuth::None, ClientAuth::SecretBasic, ClientAuth::SecretPost, ClientAuth::PrivateKeyJwt];
    let mut members = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "device_authorization_endpoint": format!("{issuer}/device"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials",
            assertion::DEVICE_CODE, assertion::JWT_BEARER, assertion::TOKEN_EXCHANGE,
        ],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods.map(ClientAuth::as_str),
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
        "dpop_signing_alg_values_supported": ["ES256", "RS256"],
    });
    if let Value::Object(members) = &mut members {
        if settings.registers {
            members.insert("registration_endpoint".to_owned(), format!("{issuer}/register").into());
        }
        if settings.advertises_iss {
            members.insert("authorization_response_iss_parameter_supported".to_owned(), true.into());
        }
        settings.metadata.apply(members, &|text| place.fill(text));
    }
    members
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
