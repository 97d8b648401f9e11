//! What is only so over HTTP.

mod close_stream;
mod end;
mod endpoints;
mod refused;
mod requests;
mod resumed;
mod sessions;
mod shut_out;
mod tls;
