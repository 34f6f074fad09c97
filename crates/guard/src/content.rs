//! What servers send: hidden text, links, sizes.
