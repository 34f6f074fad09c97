//! Options of `chat`.

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::Server;

const EXAMPLES: &str = "Examples:
  bowline chat --model anthropic/NAME                        with all servers of the configuration
  bowline chat --model openai/NAME notes tickets             with two of them
  bowline chat -p \"what is on my list?\" --model gemini/NAME
  echo \"sum this up\" | bowline chat --model mistral/NAME -- npx -y server-notes
  bowline chat --model NAME --base-url http://127.0.0.1:8080/v1
  bowline chat --resume

The model is PROVIDER/NAME, where the provider is anthropic (its key is taken from ANTHROPIC_API_KEY), openai or
openai-chat (OPENAI_API_KEY), gemini (GEMINI_API_KEY), mistral (MISTRAL_API_KEY), bedrock (AWS_BEARER_TOKEN_BEDROCK, or
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and AWS_REGION) or ollama (OLLAMA_HOST, without a key). With
--base-url and no provider it is a server that is compatible with openai-chat.

All servers are behind the guard: your policy decides which calls are made at once, which are asked about and which are
refused, and definitions that changed are held back. Without a terminal nobody can be asked, and such calls are not made
unless --approve all (or --yes) says so; what the policy denies stays denied.

With --json every event is one JSON document on a line of its own; the last one has the type done.";

/// Options of `chat`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Chat {
    /// Servers of the configuration, or the URL of one server [default: all of the configuration]
    #[arg(value_name = "SERVER")]
    pub(crate) servers: Vec<String>,
    /// Those of all servers of this group of the configuration
    #[arg(long, value_name = "GROUP", env = "BOWLINE_GROUP")]
    pub(crate) group: Option<String>,
    /// Answers this, and ends; without it and without a terminal, what standard input says
    #[arg(short, long, value_name = "TEXT", env = "BOWLINE_PROMPT")]
    pub(crate) prompt: Option<String>,
    /// The model
    #[arg(short, long, value_name = "PROVIDER/NAME", env = "BOWLINE_MODEL")]
    pub(crate) model: Option<String>,
    /// Where the model is, in place of its provider's own address
    #[arg(long, value_name = "URL", env = "BOWLINE_BASE_URL")]
    pub(crate) base_url: Option<String>,
    /// The variable that the model's key is taken from [default: the provider's own]
    #[arg(long, value_name = "VAR", env = "BOWLINE_KEY_ENV")]
    pub(crate) key_env: Option<String>,
    /// Asks for each answer as a whole
    #[arg(long, env = "BOWLINE_NO_STREAM", value_parser = FalseyValueParser::new())]
    pub(crate) no_stream: bool,
    /// What the model is to be
    #[arg(long, value_name = "TEXT", env = "BOWLINE_SYSTEM")]
    pub(crate) system: Option<String>,
    /// Which calls are made without a question [default: those that the policy allows]
    #[arg(long, value_name = "WHICH", value_enum, env = "BOWLINE_APPROVE")]
    pub(crate) approve: Option<ApproveChoice>,
    /// Lets servers ask the model, each time after a question; needs a terminal
    #[arg(long, env = "BOWLINE_SAMPLING", value_parser = FalseyValueParser::new())]
    pub(crate) sampling: bool,
    /// How often the model may call tools before it has to answer
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1000), env = "BOWLINE_MAX_ROUNDS")]
    pub(crate) max_rounds: u32,
    /// How many tokens an answer to you may take in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), env = "BOWLINE_MAX_TOKENS")]
    pub(crate) max_tokens: Option<u64>,
    /// Goes on with a conversation: the last one, or this
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "last", require_equals = true, env = "BOWLINE_RESUME")]
    pub(crate) resume: Option<String>,
    /// Keeps nothing of the conversation
    #[arg(long, env = "BOWLINE_NO_HISTORY", value_parser = FalseyValueParser::new(), conflicts_with = "resume")]
    pub(crate) no_history: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Which calls are made without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApproveChoice {
    /// None: you are asked before each call
    None,
    /// Those that the policy allows where what servers say of their tools is believed, such as that one only reads
    ReadOnly,
    /// All but those that the policy denies: whatever a model is talked into is done
    All,
}
