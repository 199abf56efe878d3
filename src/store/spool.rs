//! What the database would not take: sealed files of bounded size, read back when it does.
//!
//! The file being written ends in `.part`; once closed it ends in `.sealed`, and only then does the database's thread read it. A file
//! that a crash left in parts is read to its tear.

use super::record::StoredCall;
use super::seal::{MasterKey, Reader, SealError, Writer};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The spool's directory in the data directory.
pub const DIRECTORY: &str = "spool";
/// A file is closed at this size…
const FILE_BYTES: u64 = 1 << 20;

pub struct Spool {
    directory: PathBuf,
    key: MasterKey,
    /// …and all of them together may have this.
    bytes_max: u64,
    next: u64,
    part: Option<(PathBuf, Writer<File>, u64)>,
}

impl Spool {
    /// Opens the spool in `data_dir`; what a crash left in parts is closed.
    pub fn open(data_dir: &Path, key: &MasterKey, bytes_max: u64) -> Result<Spool, String> {
        let directory = data_dir.join(DIRECTORY);
        let wrong = |error: std::io::Error| format!("{}: {error}", directory.display());
        fs::create_dir_all(&directory).map_err(wrong)?;
        let mut next = 1;
        for entry in fs::read_dir(&directory).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            next = next.max(number(&path).map_or(1, |number| number + 1));
            if path.extension().is_some_and(|ending| ending == "part") {
                fs::rename(&path, path.with_extension("sealed")).map_err(wrong)?;
            }
        }
        Ok(Spool { directory, key: key.clone(), bytes_max, next, part: None })
    }

    /// Appends one record. The error says why it could not be kept.
    pub fn push(&mut self, call: &StoredCall) -> Result<(), String> {
        let bytes = serde_json::to_vec(call).expect("a record has a JSON form");
        let used: u64 = closed(&self.directory).iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum();
        let open = self.part.as_ref().map_or(0, |(_, _, size)| *size);
        if used + open + bytes.len() as u64 > self.bytes_max {
            return Err(format!("{} is full ({} bytes)", self.directory.display(), self.bytes_max));
        }
        if self.part.is_none() {
            self.part = Some(self.start()?);
        }
        let (path, writer, size) = self.part.as_mut().expect("a part is open");
        let pushed = writer.chunk(&bytes).map_err(|error| format!("{}: {error}", path.display()));
        if pushed.is_err() && *size == 0 {
            // Nothing whole is in it.
            let _ = fs::remove_file(&*path);
            self.part = None;
            return pushed;
        }
        *size += bytes.len() as u64;
        if pushed.is_err() || *size >= FILE_BYTES {
            self.close()?;
        }
        pushed
    }

    /// Closes the file being written, so that it can be read back.
    pub fn close(&mut self) -> Result<(), String> {
        let Some((path, writer, _)) = self.part.take() else { return Ok(()) };
        let finished = writer.finish().and_then(|file| Ok(file.sync_all()?));
        // A file without its last chunk is still worth reading: it is renamed even so.
        let renamed = fs::rename(&path, path.with_extension("sealed"));
        finished.map_err(|error| format!("{}: {error}", path.display()))?;
        renamed.map_err(|error| format!("{}: {error}", path.display()))
    }

    fn start(&mut self) -> Result<(PathBuf, Writer<File>, u64), String> {
        let path = self.directory.join(format!("{:010}.part", self.next));
        self.next += 1;
        let file = File::options().write(true).create_new(true).open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match Writer::new(file, &self.key) {
            Ok(writer) => Ok((path, writer, 0)),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(format!("{}: {error}", path.display()))
            }
        }
    }
}

/// The closed files in the spool, oldest first.
pub fn closed(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "sealed"))
        .collect();
    files.sort();
    files
}

/// The records of one closed file, and what keeps the rest from being read.
pub fn read(path: &Path, key: &MasterKey) -> (Vec<StoredCall>, Option<SealError>) {
    let mut calls = Vec::new();
    let reader = File::open(path).map_err(SealError::from).and_then(|file| Reader::new(BufReader::new(file), key));
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (calls, Some(error)),
    };
    loop {
        match reader.chunk() {
            Ok(None) => return (calls, None),
            Err(error) => return (calls, Some(error)),
            Ok(Some(chunk)) => match serde_json::from_slice(&chunk) {
                Ok(call) => calls.push(call),
                Err(_) => return (calls, Some(SealError::Altered)),
            },
        }
    }
}

fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}
