//! A journal's file, read back record by record.

use super::record::Record;
use crate::store::seal::{MasterKey, Reader as Unsealed, SealError};
use crate::store::wire::{Input, Wire};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its writer meant it to.
    Closed,
    /// By a crash, or it is still being written: what came before is whole.
    Torn,
    /// By something that was not written so: what came before is whole.
    Altered,
}

pub struct Reader {
    chunks: Unsealed<BufReader<File>>,
    batch: Vec<u8>,
    /// How much of the batch has been read.
    read: usize,
    end: Option<End>,
}

impl Reader {
    pub fn open(path: &Path, key: &MasterKey) -> Result<Reader, SealError> {
        let file = BufReader::with_capacity(1 << 18, File::open(path)?);
        Ok(Reader { chunks: Unsealed::new(file, key)?, batch: Vec::new(), read: 0, end: None })
    }

    /// How the file ends, once [`Iterator::next`] has given its last record.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The next records: one chunk, or several that belong together.
    fn refill(&mut self) -> Result<(), End> {
        self.batch.clear();
        self.read = 0;
        loop {
            match self.chunks.chunk() {
                Ok(Some(chunk)) => {
                    let (more, bytes) = chunk.split_first().ok_or(End::Altered)?;
                    self.batch.extend_from_slice(bytes);
                    if *more == 0 {
                        return Ok(());
                    }
                }
                Ok(None) => return Err(End::Closed),
                Err(SealError::Torn) => return Err(End::Torn),
                Err(_) => return Err(End::Altered),
            }
        }
    }

    fn take(&mut self) -> Result<Record, End> {
        while self.read == self.batch.len() {
            self.refill()?;
        }
        let mut input = Input(&self.batch[self.read..]);
        let record = Record::take(&mut input).map_err(|_| End::Altered)?;
        self.read = self.batch.len() - input.0.len();
        Ok(record)
    }
}

impl Iterator for Reader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.end.is_some() {
            return None;
        }
        match self.take() {
            Ok(record) => Some(record),
            Err(end) => {
                self.end = Some(end);
                None
            }
        }
    }
}

/// The journal's files, the newest first.
pub fn files(data_dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<(u64, PathBuf)> = std::fs::read_dir(data_dir.join(super::DIRECTORY))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    files.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    files.into_iter().map(|(_, path)| path).collect()
}

/// The number of a journal's file, by its name.
pub fn number(path: &Path) -> Option<u64> {
    path.extension().filter(|ending| *ending == "journal")?;
    path.file_stem()?.to_str()?.parse().ok()
}
