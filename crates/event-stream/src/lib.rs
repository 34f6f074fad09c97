#![doc = include_str!("../README.md")]

mod decoder;

pub use decoder::{Decoder, Event, TooLarge};
