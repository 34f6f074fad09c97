//! All configured servers, looked over.
