//! Sealing of what is stored of people: AES-256-GCM, a data key per file, each wrapped by the centre's one master key.
//!
//! A sealed file is `CARELN1\n`, the wrapped data key (nonce, 32 bytes, tag), then chunks: a little-endian length whose top bit marks the
//! last chunk, and the sealed bytes. A chunk's nonce is its number, so that chunks can be neither swapped, repeated nor dropped from the
//! middle; a file without a last chunk was torn by a crash, and what is before the tear can still be read.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"CARELN1\n";
const NONCE: usize = 12;
const TAG: usize = 16;
const KEY: usize = 32;
const LAST: u32 = 1 << 31;
/// The longest chunk that is written or believed.
pub const CHUNK_MAX: usize = 1 << 20;
/// The master key's file in a data directory, made at the first start where none is configured.
pub const KEY_FILE: &str = "master.key";
/// The master key's name among systemd's credentials.
pub const CREDENTIAL: &str = "careline-master-key";

/// Why something sealed could not be read, or could not be sealed.
#[derive(Debug)]
pub enum SealError {
    Io(io::Error),
    /// The data key does not open: sealed with another master key.
    WrongKey,
    /// Not a sealed file.
    NotSealed,
    /// Ends without a last chunk: what came before is whole.
    Torn,
    /// Not what was sealed.
    Altered,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealError::Io(error) => error.fmt(f),
            SealError::WrongKey => f.write_str("sealed with another master key: give the key that it was sealed with"),
            SealError::NotSealed => f.write_str("not a sealed file"),
            SealError::Torn => f.write_str("torn: the file ends without its last chunk"),
            SealError::Altered => f.write_str("altered since it was sealed"),
        }
    }
}

impl From<io::Error> for SealError {
    fn from(error: io::Error) -> SealError {
        SealError::Io(error)
    }
}

/// The key that wraps every data key. Nothing prints it.
#[derive(Clone)]
pub struct MasterKey([u8; KEY]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

impl MasterKey {
    pub fn random() -> MasterKey {
        MasterKey(random())
    }

    /// The key at the configured path; else systemd's credential; else the data directory's own, made now if there is none.
    pub fn find(configured: Option<&Path>, data_dir: &Path) -> Result<MasterKey, String> {
        if configured.is_none() && credential().is_none() {
            make_directory(data_dir)?;
            return MasterKey::read_or_make(&data_dir.join(KEY_FILE));
        }
        MasterKey::existing(configured, data_dir)
    }

    /// As [`MasterKey::find`], for who only reads: none is made.
    pub fn existing(configured: Option<&Path>, data_dir: &Path) -> Result<MasterKey, String> {
        let path = configured.map(Path::to_path_buf).or_else(credential).unwrap_or_else(|| data_dir.join(KEY_FILE));
        MasterKey::read(&path)
    }

    /// Reads a key of 64 hexadecimal digits from a file that only its owner can read.
    pub fn read(path: &Path) -> Result<MasterKey, String> {
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("master key {name}: {error}"))?;
        let mode = fs::metadata(path).map_err(|error| format!("master key {name}: {error}"))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!("master key {name}: others may read it (mode {:o}): chmod 600 it", mode & 0o777));
        }
        let key = from_hex(text.trim()).ok_or_else(|| format!("master key {name}: must be {} hexadecimal digits", 2 * KEY))?;
        Ok(MasterKey(key))
    }

    fn read_or_make(path: &Path) -> Result<MasterKey, String> {
        let key = MasterKey::random();
        if let Some(directory) = path.parent() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => MasterKey::read(path),
            Err(error) => Err(format!("master key {}: {error}", path.display())),
            Ok(mut file) => {
                let write = file.write_all(to_hex(&key.0).as_bytes()).and_then(|()| file.sync_all());
                write.map(|()| key).map_err(|error| format!("master key {}: {error}", path.display()))
            }
        }
    }

    fn wrap(&self, key: &[u8; KEY], what: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = random();
        let mut wrapped = nonce.to_vec();
        wrapped.extend(encrypt(&cipher(&self.0), nonce, key, what));
        wrapped
    }

    fn unwrap(&self, wrapped: &[u8], what: &[u8]) -> Result<[u8; KEY], SealError> {
        if wrapped.len() != NONCE + KEY + TAG {
            return Err(SealError::NotSealed);
        }
        let nonce = wrapped[..NONCE].try_into().expect("a nonce is the first twelve bytes");
        let key = decrypt(&cipher(&self.0), nonce, &wrapped[NONCE..], what).ok_or(SealError::WrongKey)?;
        Ok(key.try_into().expect("what was wrapped is a key"))
    }
}

/// Makes a directory that only its owner can look into, if it is not there.
pub fn make_directory(directory: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| format!("{}: {error}", directory.display()))
}

/// Writes one sealed file, chunk by chunk.
pub struct Writer<W> {
    out: W,
    cipher: Aes256Gcm,
    next: u64,
}

impl<W: Write> Writer<W> {
    pub fn new(mut out: W, master: &MasterKey) -> Result<Writer<W>, SealError> {
        let key = random();
        out.write_all(MAGIC)?;
        out.write_all(&master.wrap(&key, MAGIC))?;
        Ok(Writer { out, cipher: cipher(&key), next: 0 })
    }

    /// Seals and writes one chunk of at most [`CHUNK_MAX`] bytes.
    pub fn chunk(&mut self, plain: &[u8]) -> Result<(), SealError> {
        self.write(plain, 0)
    }

    /// Writes elsewhere from now on, and gives back what it wrote to.
    #[cfg(test)]
    pub fn redirect(&mut self, out: W) -> W {
        std::mem::replace(&mut self.out, out)
    }

    /// Marks the end and gives back what it wrote to.
    pub fn finish(mut self) -> Result<W, SealError> {
        self.write(&[], LAST)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write(&mut self, plain: &[u8], last: u32) -> Result<(), SealError> {
        assert!(plain.len() <= CHUNK_MAX, "a chunk has at most {CHUNK_MAX} bytes");
        let sealed = encrypt(&self.cipher, chunk_nonce(self.next), plain, &last.to_le_bytes());
        self.next += 1;
        // One write a chunk: a crash between two writes would tear the file inside a chunk more often.
        let mut bytes = (sealed.len() as u32 | last).to_le_bytes().to_vec();
        bytes.extend(sealed);
        Ok(self.out.write_all(&bytes)?)
    }
}

/// Reads one sealed file, chunk by chunk.
pub struct Reader<R> {
    input: R,
    cipher: Aes256Gcm,
    next: u64,
    done: bool,
}

impl<R: Read> Reader<R> {
    pub fn new(mut input: R, master: &MasterKey) -> Result<Reader<R>, SealError> {
        let mut header = [0; MAGIC.len() + NONCE + KEY + TAG];
        if !read_whole(&mut input, &mut header)? || !header.starts_with(MAGIC) {
            return Err(SealError::NotSealed);
        }
        let key = master.unwrap(&header[MAGIC.len()..], MAGIC)?;
        Ok(Reader { input, cipher: cipher(&key), next: 0, done: false })
    }

    /// The next chunk; `None` after the last.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, SealError> {
        if self.done {
            return Ok(None);
        }
        let mut length = [0; 4];
        if !read_whole(&mut self.input, &mut length)? {
            return Err(SealError::Torn);
        }
        let length = u32::from_le_bytes(length);
        let (last, length) = (length & LAST, (length & !LAST) as usize);
        if length > CHUNK_MAX + TAG {
            return Err(SealError::Altered);
        }
        let mut sealed = vec![0; length];
        if !read_whole(&mut self.input, &mut sealed)? {
            return Err(SealError::Torn);
        }
        let plain = decrypt(&self.cipher, chunk_nonce(self.next), &sealed, &last.to_le_bytes()).ok_or(SealError::Altered)?;
        self.next += 1;
        self.done = last == LAST;
        Ok((!self.done).then_some(plain))
    }
}

/// Seals single values: a database's columns that hold a number or a name. A value is bound to its place (table, row, column), and a
/// number's fingerprint finds it again without opening any.
pub struct Columns {
    cipher: Aes256Gcm,
    fingerprints: [u8; KEY],
}

const COLUMNS: &[u8] = b"columns";
const FINGERPRINTS: &[u8] = b"fingerprints";

impl Columns {
    /// New keys, and their wrapped form to keep beside what they seal.
    pub fn make(master: &MasterKey) -> (Columns, [Vec<u8>; 2]) {
        let (key, fingerprints) = (random(), random());
        let wrapped = [master.wrap(&key, COLUMNS), master.wrap(&fingerprints, FINGERPRINTS)];
        (Columns { cipher: cipher(&key), fingerprints }, wrapped)
    }

    pub fn open(master: &MasterKey, wrapped: [&[u8]; 2]) -> Result<Columns, SealError> {
        let key = master.unwrap(wrapped[0], COLUMNS)?;
        Ok(Columns { cipher: cipher(&key), fingerprints: master.unwrap(wrapped[1], FINGERPRINTS)? })
    }

    pub fn seal(&self, place: &str, plain: &str) -> Vec<u8> {
        let nonce: [u8; NONCE] = random();
        let mut sealed = nonce.to_vec();
        sealed.extend(encrypt(&self.cipher, nonce, plain.as_bytes(), place.as_bytes()));
        sealed
    }

    pub fn unseal(&self, place: &str, sealed: &[u8]) -> Result<String, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(SealError::Altered)?;
        let plain = decrypt(&self.cipher, *nonce, rest, place.as_bytes()).ok_or(SealError::Altered)?;
        String::from_utf8(plain).map_err(|_| SealError::Altered)
    }

    /// HMAC-SHA256 of a number, as it was presented.
    pub fn fingerprint(&self, number: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.fingerprints).expect("HMAC takes a key of any length");
        mac.update(number.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

fn cipher(key: &[u8; KEY]) -> Aes256Gcm {
    Aes256Gcm::new(&(*key).into())
}

fn encrypt(cipher: &Aes256Gcm, nonce: [u8; NONCE], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    cipher.encrypt(&Nonce::from(nonce), Payload { msg, aad }).expect("a chunk is far shorter than AES-GCM's limit")
}

fn decrypt(cipher: &Aes256Gcm, nonce: [u8; NONCE], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    cipher.decrypt(&Nonce::from(nonce), Payload { msg, aad }).ok()
}

fn chunk_nonce(number: u64) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[NONCE - 8..].copy_from_slice(&number.to_be_bytes());
    nonce
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's generator gives bytes");
    bytes
}

/// Fills `buffer`; `false` if the input ends first.
fn read_whole(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where systemd keeps the key, if it does.
fn credential() -> Option<PathBuf> {
    let path = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(CREDENTIAL));
    path.filter(|path| path.exists())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; KEY]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * KEY || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut key = [0; KEY];
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &MasterKey, chunks: &[&[u8]]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), key).unwrap();
        chunks.iter().for_each(|chunk| writer.chunk(chunk).unwrap());
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8], key: &MasterKey) -> (Vec<Vec<u8>>, Option<SealError>) {
        let mut chunks = Vec::new();
        let mut reader = match Reader::new(bytes, key) {
            Ok(reader) => reader,
            Err(error) => return (chunks, Some(error)),
        };
        loop {
            match reader.chunk() {
                Ok(Some(chunk)) => chunks.push(chunk),
                Ok(None) => return (chunks, None),
                Err(error) => return (chunks, Some(error)),
            }
        }
    }

    #[test]
    fn what_was_sealed_reads_back_and_shows_nothing() {
        let key = MasterKey::random();
        let bytes = sealed(&key, &[b"+13125550123", b"", b"two"]);
        assert!(!bytes.windows(4).any(|window| window == b"5550"));
        let (chunks, error) = read(&bytes, &key);
        assert_eq!(chunks, [b"+13125550123".to_vec(), b"".to_vec(), b"two".to_vec()]);
        assert!(error.is_none());
    }

    #[test]
    fn another_key_opens_nothing() {
        let bytes = sealed(&MasterKey::random(), &[b"one"]);
        assert!(matches!(read(&bytes, &MasterKey::random()), (chunks, Some(SealError::WrongKey)) if chunks.is_empty()));
    }

    #[test]
    fn every_torn_length_keeps_the_whole_chunks_before_the_tear() {
        let key = MasterKey::random();
        let bytes = sealed(&key, &[b"one", b"two"]);
        let header = MAGIC.len() + NONCE + KEY + TAG;
        for length in header..bytes.len() {
            let (chunks, error) = read(&bytes[..length], &key);
            assert!(matches!(error, Some(SealError::Torn)), "at {length}: {error:?}");
            assert_eq!(chunks.len(), (length - header) / (4 + 3 + TAG));
        }
    }

    #[test]
    fn a_changed_bit_anywhere_is_noticed() {
        let key = MasterKey::random();
        let bytes = sealed(&key, &[b"one"]);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed, &key).1.is_some(), "byte {at}");
        }
    }

    #[test]
    fn swapped_chunks_are_noticed() {
        let key = MasterKey::random();
        let bytes = sealed(&key, &[b"one", b"two"]);
        let (start, chunk) = (MAGIC.len() + NONCE + KEY + TAG, 4 + 3 + TAG);
        let swapped =
            [&bytes[..start], &bytes[start + chunk..start + 2 * chunk], &bytes[start..start + chunk], &bytes[start + 2 * chunk..]].concat();
        assert!(matches!(read(&swapped, &key).1, Some(SealError::Altered)));
    }

    #[test]
    fn a_column_is_bound_to_its_place_and_found_by_its_fingerprint() {
        let master = MasterKey::random();
        let (columns, wrapped) = Columns::make(&master);
        let value = columns.seal("calls.7.caller", "+13125550123");
        let again = Columns::open(&master, [&wrapped[0], &wrapped[1]]).unwrap();
        assert_eq!(again.unseal("calls.7.caller", &value).unwrap(), "+13125550123");
        assert!(again.unseal("calls.8.caller", &value).is_err());
        assert_eq!(columns.fingerprint("+13125550123"), again.fingerprint("+13125550123"));
        assert_ne!(columns.fingerprint("+13125550123"), columns.fingerprint("+13125550124"));
        assert!(matches!(Columns::open(&MasterKey::random(), [&wrapped[0], &wrapped[1]]), Err(SealError::WrongKey)));
    }

    #[test]
    fn the_first_start_makes_a_key_for_the_owner_alone() {
        let dir = crate::store::tests::Directory::new("seal-key");
        let made = MasterKey::find(None, dir.path()).unwrap();
        let path = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::find(None, dir.path()).unwrap().0, made.0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterKey::find(None, dir.path()).unwrap_err().contains("chmod 600"));
        assert!(MasterKey::find(Some(&dir.path().join("absent")), dir.path()).unwrap_err().contains("absent"));
        assert_eq!(format!("{made:?}"), "MasterKey");
    }
}
