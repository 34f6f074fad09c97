//! The command as a person or a script runs it.
//!
//! The servers are shell scripts, and mock servers behind HTTP, WebSocket and sockets.
#![cfg(unix)]

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod config;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod json;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod many;
#[cfg(test)]
mod output;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod run;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod urls;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod words;
