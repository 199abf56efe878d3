//! A journal's file, read back record by record.

use super::export;
use super::record::{End, Record};
use crate::store::seal::{MasterKey, Reader as Unsealed, SealError};
use crate::store::wire::{Input, Wire};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

enum Chunks {
    Sealed(Box<Unsealed<BufReader<File>>>),
    Export(export::Chunks<BufReader<File>>),
}

pub struct Reader {
    chunks: Chunks,
    batch: Vec<u8>,
    /// How much of the batch has been read.
    read: usize,
    end: Option<End>,
}

impl Reader {
    pub fn open(path: &Path, key: &MasterKey) -> Result<Reader, SealError> {
        let file = BufReader::with_capacity(1 << 18, File::open(path)?);
        Ok(Reader::of(Chunks::Sealed(Box::new(Unsealed::new(file, key)?))))
    }

    /// A file that `careline replay --export` made; `None`: it is none. A centre never takes up its state from one: anybody can write it.
    pub fn open_export(path: &Path) -> std::io::Result<Option<Reader>> {
        let file = BufReader::with_capacity(1 << 18, File::open(path)?);
        Ok(export::Chunks::new(file)?.map(|chunks| Reader::of(Chunks::Export(chunks))))
    }

    fn of(chunks: Chunks) -> Reader {
        Reader { chunks, batch: Vec::new(), read: 0, end: None }
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
            let chunks = match &mut self.chunks {
                Chunks::Sealed(chunks) => chunks,
                Chunks::Export(chunks) => return chunks.next_into(&mut self.batch),
            };
            match chunks.chunk() {
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
