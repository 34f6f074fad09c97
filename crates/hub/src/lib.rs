#![doc = include_str!("../README.md")]

mod pool;
mod search;
