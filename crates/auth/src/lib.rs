#![doc = include_str!("../README.md")]

mod bearer;
mod challenge;
mod clock;
mod credentials;
mod discovery;
mod dpop;
mod error;
mod fetch;
mod grant;
mod identity;
mod issuer;
mod json;
mod key;
mod oauth;
mod random;
mod redirect;
mod resource;
mod response;
mod scope;
mod store;
mod token;
mod visitor;

pub use bearer::{SourcedBearer, TokenFile, TokenFn, TokenSource};
pub use dpop::DpopUse;
pub use error::{AuthError, AuthErrorKind};
pub use grant::assertion::{AssertionFile, AssertionSource};
pub use grant::device::{DevicePage, DevicePrompt};
pub use grant::enterprise::EnterpriseManaged;
pub use key::PrivateKey;
pub use oauth::{Logout, OAuth, OAuthBuilder, Status};
pub use secrecy::SecretString;
#[cfg(feature = "store")]
pub use store::SharedStore;
pub use store::{CredentialStore, FileStore, Kept, Lease, MemoryStore, Saved, StoreKey};
pub use visitor::{Headless, OpenWith, PasteWith, Visit, Visited, Visitor};
