//! For: taking values out of a log that came to be known only while its command ran, which the supervisor was not told of.
//! Not for: what was known at the start (see `output`).

use std::{
    fs::{File, Permissions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use callboard_redact::Stream;

const PIECE: usize = 64 * 1024;

/// Writes the log anew without the values that are known now, from this byte on; answers its length. A crash leaves the
/// log as it was, or the new one.
pub(crate) fn clean(log: &Path, from: u64) -> io::Result<u64> {
    let mut old = File::open(log)?;
    let directory = log.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    io::copy(&mut Read::by_ref(&mut old).take(from), &mut new)?;
    old.seek(SeekFrom::Start(from))?;
    let mut stream = Stream::new(callboard_redact::scrubber());
    let mut written = Ok(());
    let mut old = BufReader::new(old);
    let mut piece = vec![0; PIECE];
    loop {
        let mut keep = |bytes: &[u8]| {
            if written.is_ok() {
                written = new.write_all(bytes);
            }
        };
        match old.read(&mut piece)? {
            0 => {
                stream.finish(&mut keep);
                break;
            }
            count => stream.take(&piece[..count], &mut keep),
        }
    }
    written?;
    new.as_file()
        .set_permissions(Permissions::from_mode(0o600))?;
    new.as_file().sync_all()?;
    let length = new.as_file().metadata()?.len();
    new.persist(log)?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_redact::{Secret, register};

    #[test]
    fn what_is_known_now_is_taken_out_from_there_on() {
        let value = "canary-of-a-log-0b7d";
        register("LATE", &Secret::new(value.to_owned())).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        // Over the border of two pieces.
        let long = "x".repeat(PIECE - 10);
        let before = "an earlier command\n";
        let mut file = File::create(&log).unwrap();
        write!(file, "{before}{long}{value}\nend {value}").unwrap();
        let length = clean(&log, before.len() as u64).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(
            text,
            format!("{before}{long}[vault:LATE]\nend [vault:LATE]")
        );
        assert_eq!(length, text.len() as u64);
        let mode = std::fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
