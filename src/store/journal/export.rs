//! A journal that can be sent to whoever mends the program: without people, and not sealed, so that its sender can look into it.
//!
//! `CARELX1\n`, then each record after its little-endian length; a length whose every bit is set ends the file.

use super::record::{End, Record};
use crate::store::wire::Wire;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const MAGIC: &[u8; 8] = b"CARELX1\n";
const LAST: u32 = u32::MAX;

/// Writes one. Nobody may be in what it is given.
pub struct Export {
    out: BufWriter<File>,
    bytes: Vec<u8>,
}

impl Export {
    /// A new file; none is written over.
    pub fn create(path: &Path) -> io::Result<Export> {
        let mut out = BufWriter::new(File::options().write(true).create_new(true).mode(0o600).open(path)?);
        out.write_all(MAGIC)?;
        Ok(Export { out, bytes: Vec::new() })
    }

    pub fn put(&mut self, record: &Record) -> io::Result<()> {
        self.bytes.clear();
        record.put(&mut self.bytes);
        let length = u32::try_from(self.bytes.len()).ok().filter(|length| *length < LAST);
        let length = length.ok_or_else(|| io::Error::other("one entry is larger than 4 GiB"))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.bytes)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&LAST.to_le_bytes())?;
        self.out.flush()
    }
}

/// Reads one, record by record.
pub struct Chunks<R> {
    input: R,
}

impl<R: Read> Chunks<R> {
    /// `None`: this is no export.
    pub fn new(mut input: R) -> io::Result<Option<Chunks<R>>> {
        let mut magic = Vec::new();
        input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        Ok((magic == MAGIC).then_some(Chunks { input }))
    }

    pub fn next_into(&mut self, record: &mut Vec<u8>) -> Result<(), End> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(|_| End::Torn)?;
        let length = u32::from_le_bytes(length);
        if length == LAST {
            return Err(End::Closed);
        }
        // A broken length asks for no memory.
        let read = self.input.by_ref().take(length.into()).read_to_end(record);
        if read.is_ok_and(|read| read == length as usize) { Ok(()) } else { Err(End::Torn) }
    }
}
