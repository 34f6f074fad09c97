//! What goes out to servers: credentials in arguments and logs.
