//! Which model it is, by the command line and the environment.

use bowline::llm::{AwsCredentials, Format, HttpModel};
use secrecy::SecretString;

use crate::exit::{CliError, Code};
use crate::options::Chat;
use crate::sanitize;
use crate::server;
use crate::suggest;

/// A provider: what it is called, what it speaks, and where its key is.
struct Provider {
    name: &'static str,
    format: Format,
    /// The variables that may hold the key; none where no key is needed.
    keys: &'static [&'static str],
}

const PROVIDERS: [Provider; 8] = [
    Provider { name: "anthropic", format: Format::Anthropic, keys: &["ANTHROPIC_API_KEY"] },
    Provider { name: "openai", format: Format::OpenAiResponses, keys: &["OPENAI_API_KEY"] },
    Provider { name: "openai-chat", format: Format::OpenAiChat, keys: &["OPENAI_API_KEY"] },
    Provider { name: "gemini", format: Format::Gemini, keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"] },
    Provider { name: "google", format: Format::Gemini, keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"] },
    Provider { name: "mistral", format: Format::Mistral, keys: &["MISTRAL_API_KEY"] },
    Provider { name: "bedrock", format: Format::Bedrock, keys: &["AWS_BEARER_TOKEN_BEDROCK"] },
    Provider { name: "ollama", format: Format::Ollama, keys: &[] },
];

/// The model that the options name.
pub(super) fn model(options: &Chat) -> Result<HttpModel, CliError> {
    let Some(named) = options.model.as_deref().map(str::trim).filter(|named| !named.is_empty()) else {
        return Err(CliError::usage("no model is named").hint(hint()));
    };
    let (provider, name) = split(named, options.base_url.is_some())?;
    let is_named = named.len() > name.len();
    let mut builder = HttpModel::builder(provider.format, name).streaming(!options.no_stream);
    let region = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    builder = match access(provider, is_named, options)? {
        Access::Key(key) => builder.key(key),
        Access::Aws(keys) => match region() {
            Some(region) => builder.aws(keys).region(region),
            None => return Err(no_region("requests that are signed are for one region")),
        },
        Access::None => builder,
    };
    match (&options.base_url, provider.format) {
        (Some(url), _) => builder = builder.base_url(url),
        (None, Format::Ollama) => {
            if let Some(host) = variable("OLLAMA_HOST") {
                builder = builder.base_url(ollama_url(&host));
            }
        }
        (None, Format::Bedrock) => {
            builder = builder.region(region().ok_or_else(|| no_region("bedrock wants a region"))?);
        }
        _ => {}
    }
    builder.build().map_err(|error| CliError::new(Code::Usage, error.to_string()))
}

/// The provider and the model in `PROVIDER/NAME`. Names of models may hold slashes of their own.
fn split(named: &str, has_url: bool) -> Result<(&'static Provider, &str), CliError> {
    if let Some((provider, name)) = named.split_once('/')
        && let Some(provider) = PROVIDERS.iter().find(|known| known.name == provider)
        && !name.is_empty()
    {
        return Ok((provider, name));
    }
    // A server of one's own says what it has; most are compatible with this.
    if has_url && let Some(compatible) = PROVIDERS.iter().find(|known| known.format == Format::OpenAiChat) {
        return Ok((compatible, named));
    }
    let meant = named.split_once('/').filter(|(_, name)| !name.is_empty()).and_then(|(provider, name)| {
        let provider = suggest::nearest(provider, PROVIDERS.iter().map(|known| known.name))?;
        Some(format!("did you mean `{provider}/{}`?", sanitize::excerpt(name, 80)))
    });
    let named = sanitize::excerpt(named, 80);
    Err(CliError::usage(format!("`{named}` names no provider")).hint(meant.unwrap_or_else(hint)))
}

/// What a provider lets one in by.
enum Access {
    Key(SecretString),
    Aws(AwsCredentials),
    None,
}

/// The key, from the variable that is named, or the provider's own. Another address gets the provider's own key only where
/// the provider is named too, and nobody on the way can read it; a server of one's own may want none.
fn access(provider: &Provider, is_named: bool, options: &Chat) -> Result<Access, CliError> {
    if let Some(named) = &options.key_env {
        return Ok(Access::Key(server::text_variable("--key-env", named)?.into()));
    }
    let is_own = options.base_url.is_none();
    let is_private = || is_named && options.base_url.as_deref().is_some_and(may_have_key);
    if (is_own || is_private())
        && let Some(key) = provider.keys.iter().find_map(|name| variable(name))
    {
        return Ok(Access::Key(key.into()));
    }
    // What is signed is good for the host that it names alone, and the secret is not sent.
    if provider.format == Format::Bedrock
        && (is_own || is_named)
        && let Some(keys) = aws()?
    {
        return Ok(Access::Aws(keys));
    }
    match provider.keys {
        [first, ..] if is_own => {
            let or = if provider.format == Format::Bedrock {
                ", or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY"
            } else {
                ""
            };
            Err(CliError::new(Code::Authorization, format!("{} wants a key", provider.name))
                .hint(format!("set {first}{or}, or name the variable that has it with --key-env")))
        }
        _ => Ok(Access::None),
    }
}

/// The keys of an AWS account, where the environment has them.
fn aws() -> Result<Option<AwsCredentials>, CliError> {
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let (there, missing) = match (id, secret) {
        (Some(id), Some(secret)) => {
            let keys = AwsCredentials::new(id, secret);
            return Ok(Some(match variable("AWS_SESSION_TOKEN") {
                Some(token) => keys.with_session_token(token),
                None => keys,
            }));
        }
        (None, None) => return Ok(None),
        (Some(_), None) => ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        (None, Some(_)) => ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    };
    Err(CliError::new(Code::Authorization, format!("{there} is set, and {missing} is not"))
        .hint("set both, or neither"))
}

fn no_region(why: &str) -> CliError {
    CliError::usage(why).hint("set AWS_REGION, such as eu-central-1, or give --base-url and a key")
}

fn may_have_key(url: &str) -> bool {
    url.trim_start().get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// What `OLLAMA_HOST` says, which need not be a whole URL.
fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    if host.contains("://") {
        return host.to_owned();
    }
    // The colons of an IPv6 address stand in brackets.
    let has_port = host.rsplit(']').next().unwrap_or_default().contains(':');
    if has_port { format!("http://{host}") } else { format!("http://{host}:11434") }
}

/// What to write, by the keys that are there.
fn hint() -> String {
    let is_there = |provider: &&Provider| provider.keys.iter().any(|name| variable(name).is_some());
    match PROVIDERS.iter().find(is_there) {
        Some(provider) => format!("write --model {}/NAME, as its key is set; or set BOWLINE_MODEL", provider.name),
        None => {
            let names = PROVIDERS.map(|provider| provider.name).join(", ");
            format!(
                "write --model PROVIDER/NAME, or set BOWLINE_MODEL; providers are {names}; for a server of your own give --base-url"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_split_at_its_first_slash() {
        let split = |named, has_url| split(named, has_url).map(|(provider, name)| (provider.name, name)).ok();
        assert_eq!(split("anthropic/x", false), Some(("anthropic", "x")));
        assert_eq!(split("ollama/library/x:7b", false), Some(("ollama", "library/x:7b")));
        assert_eq!(split("org/model", true), Some(("openai-chat", "org/model")));
        assert_eq!(split("org/model", false), None);
        assert_eq!(split("anthropic/", false), None);
    }

    #[test]
    fn a_provider_that_is_written_wrongly_is_suggested() {
        let hint = |named| split(named, false).err().and_then(|error| error.hint).unwrap_or_default();
        assert_eq!(hint("antropic/claude"), "did you mean `anthropic/claude`?");
        assert_eq!(hint("Gemini/a/b"), "did you mean `gemini/a/b`?");
        assert!(hint("nosuch/x").contains("PROVIDER/NAME") && hint("antropic/").contains("PROVIDER/NAME"));
    }

    #[test]
    fn the_host_of_ollama_need_not_be_whole() {
        assert_eq!(ollama_url("box"), "http://box:11434");
        assert_eq!(ollama_url("127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(ollama_url("[::1]"), "http://[::1]:11434");
        assert_eq!(ollama_url("https://box.example/"), "https://box.example");
    }
}
