//! How much of what a server says is taken.
//!
//! For: a server that never ends a line, an answer or a stream of events. Not for: what is kept of it for reports.

use futures_util::StreamExt as _;
use reqwest::Response;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The longest message.
pub(super) const LONGEST: usize = 16 << 20;

/// More came than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sent {} of more than {} MiB, the most that is taken", .0.told(), LONGEST >> 20)]
pub(super) struct TooLong(pub(super) What);

/// What was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Line,
    Body,
    Event,
}

impl What {
    fn told(self) -> &'static str {
        match self {
            What::Line => "a line",
            What::Body => "an answer",
            What::Event => "an event",
        }
    }
}

/// Reads a line into `line`, which is emptied first; false at the end.
pub(super) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> Result<bool, TooLong> {
    line.clear();
    let mut bounded = from.take(LONGEST as u64 + 1);
    match bounded.read_until(b'\n', line).await {
        Ok(0) | Err(_) => Ok(false),
        Ok(_) if line.len() > LONGEST && !line.ends_with(b"\n") => Err(TooLong(What::Line)),
        Ok(_) => Ok(true),
    }
}

/// The body of an answer as far as it came.
pub(super) async fn read_text(response: Response) -> Result<String, TooLong> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        if body.len() + piece.len() > LONGEST {
            return Err(TooLong(What::Body));
        }
        body.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn a_line_is_taken_up_to_the_bound() {
        let mut line = Vec::new();
        let fits = [vec![b'x'; LONGEST], b"\nnext\nlast".to_vec()].concat();
        let mut from = BufReader::new(fits.as_slice());
        for length in [LONGEST + 1, 5, 4] {
            assert_eq!(read_line(&mut from, &mut line).await, Ok(true));
            assert_eq!(line.len(), length);
        }
        assert_eq!(read_line(&mut from, &mut line).await, Ok(false));
        let mut endless = BufReader::new(tokio::io::repeat(b'y'));
        let wrong = read_line(&mut endless, &mut line).await.unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "the server sent a line of more than 16 MiB, the most that is taken"
        );
    }
}
