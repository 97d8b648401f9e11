//! Standard input and output without a thread hop for each message, where that is possible.
//!
//! For: pipes and sockets (Node starts servers on sockets), read and written by the runtime itself.
//! Not for: files and terminals, which fall back to blocking threads.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Both ends; call inside a runtime.
pub(crate) fn open() -> (Input, Output) {
    let sockets =
        socket(io::stdin().as_fd()).and_then(|input| Ok((input, socket(io::stdout().as_fd())?)));
    match sockets {
        Ok((input, output)) => (Box::new(input), Box::new(output)),
        Err(_) => {
            let (input, output) = rmcp::transport::stdio_pipes();
            (Box::new(input), Box::new(output))
        }
    }
}

/// The socket behind `fd`. It becomes non-blocking for everybody who shares it, which is nobody: children
/// get pipes of their own.
fn socket(fd: BorrowedFd<'_>) -> io::Result<tokio::net::UnixStream> {
    let owned = fd.try_clone_to_owned()?;
    let file = File::from(owned);
    if !file.metadata()?.file_type().is_socket() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let stream = UnixStream::from(std::os::fd::OwnedFd::from(file));
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}
