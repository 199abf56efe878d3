//! The records' database: one row a call, with its visits, offers, segments, its legs' sound and its recordings beside it.
//!
//! Times are microseconds since the Unix epoch and spans microseconds. What holds a number is sealed (`caller`, `called`); its
//! `…_fingerprint` is a keyed hash by which a number's calls are found. `keys` holds the wrapped keys of both.

use super::record::{Sounds, StoredCall, StoredOffer, StoredSegment, StoredSound, StoredVisit};
use super::seal::{Columns, MasterKey};
use crate::model::Phi;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The database's file in the data directory.
pub const FILE: &str = "records.sqlite";
/// A lock of another process is waited for so long, then the records go to the spool.
const BUSY: Duration = Duration::from_millis(200);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS calls (
        call INTEGER PRIMARY KEY,
        caller BLOB NOT NULL, caller_fingerprint BLOB NOT NULL,
        called BLOB NOT NULL, called_fingerprint BLOB NOT NULL,
        did TEXT NOT NULL,
        language TEXT NOT NULL,
        arrived_at INTEGER NOT NULL,
        answered_at INTEGER,
        ended_at INTEGER NOT NULL,
        disposition TEXT NOT NULL,
        detail TEXT,
        wrap_up_code TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS calls_by_caller ON calls (caller_fingerprint, arrived_at);
    CREATE INDEX IF NOT EXISTS calls_by_time ON calls (arrived_at);
    CREATE TABLE IF NOT EXISTS visits (
        call INTEGER NOT NULL REFERENCES calls, visit INTEGER NOT NULL,
        queue TEXT NOT NULL,
        language TEXT NOT NULL,
        entered_at INTEGER NOT NULL,
        left_at INTEGER NOT NULL,
        stage TEXT NOT NULL,
        outcome TEXT NOT NULL,
        detail TEXT,
        PRIMARY KEY (call, visit)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS offers (
        call INTEGER NOT NULL REFERENCES calls, visit INTEGER NOT NULL, offer INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        rung_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        PRIMARY KEY (call, visit, offer)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS segments (
        call INTEGER NOT NULL REFERENCES calls, segment INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        queue TEXT,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        held INTEGER NOT NULL,
        wrap_up INTEGER,
        transferred INTEGER NOT NULL,
        PRIMARY KEY (call, segment)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sounds (
        call INTEGER NOT NULL REFERENCES calls, leg INTEGER NOT NULL,
        agent INTEGER,
        received INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        jitter INTEGER NOT NULL,
        mos REAL,
        sent INTEGER NOT NULL,
        lost_there INTEGER,
        jitter_there INTEGER,
        mos_there REAL,
        round_trip INTEGER,
        PRIMARY KEY (call, leg)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS recordings (
        call INTEGER NOT NULL REFERENCES calls, part INTEGER NOT NULL,
        file TEXT NOT NULL,
        PRIMARY KEY (call, part)
    ) STRICT, WITHOUT ROWID;
";

pub struct Database {
    connection: Connection,
    columns: Columns,
}

impl Database {
    /// Opens the database in `dir`, made now if there is none. The error names what is wrong and what to do.
    pub fn open(dir: &Path, key: &MasterKey) -> Result<Database, String> {
        let path = dir.join(FILE);
        let wrong = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let mut connection = Connection::open(&path).map_err(wrong)?;
        connection.busy_timeout(BUSY).map_err(wrong)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(wrong)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(wrong)?;
        // In KiB. Records are put at the end of their tables: more than this would only fill with what nobody asks for.
        connection.pragma_update(None, "cache_size", -256).map_err(wrong)?;
        connection.execute_batch(SCHEMA).map_err(wrong)?;
        let transaction = connection.transaction().map_err(wrong)?;
        let columns = match wrapped_keys(&transaction).map_err(wrong)? {
            Some(wrapped) => open_columns(&path, key, wrapped)?,
            None => {
                let (columns, wrapped) = Columns::make(key);
                for (name, wrapped) in KEYS.iter().zip(wrapped) {
                    transaction.execute("INSERT INTO keys VALUES (?, ?)", params![name, wrapped]).map_err(wrong)?;
                }
                columns
            }
        };
        transaction.commit().map_err(wrong)?;
        Ok(Database { connection, columns })
    }

    /// Opens the database in `dir` for reading only, beside a server that may be writing.
    pub fn open_to_read(dir: &Path, key: &MasterKey) -> Result<Database, String> {
        let path = dir.join(FILE);
        let wrong = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(wrong)?;
        connection.busy_timeout(BUSY).map_err(wrong)?;
        let wrapped = wrapped_keys(&connection).map_err(wrong)?.ok_or_else(|| format!("{}: has no keys", path.display()))?;
        let columns = open_columns(&path, key, wrapped)?;
        Ok(Database { connection, columns })
    }

    /// Writes all or none. A call that has its record already keeps it; the answer is how many were new.
    pub fn insert(&mut self, calls: &[StoredCall]) -> rusqlite::Result<u64> {
        let transaction = self.connection.transaction()?;
        let mut new = 0;
        for call in calls {
            if insert_call(&transaction, &self.columns, call)? {
                insert_visits(&transaction, call)?;
                insert_segments(&transaction, call)?;
                insert_sounds(&transaction, call)?;
                new += 1;
            }
        }
        transaction.commit()?;
        Ok(new)
    }

    /// The highest number of a call that has a record.
    pub fn last_call(&self) -> rusqlite::Result<Option<u64>> {
        self.connection.query_row("SELECT max(call) FROM calls", [], |row| row.get::<_, Option<i64>>(0)).map(|last| last.map(unsigned))
    }

    /// Those of the calls that have no record.
    pub fn lacking(&self, calls: impl Iterator<Item = u64>) -> Result<BTreeSet<u64>, String> {
        let wrong = |error: rusqlite::Error| format!("{FILE}: {error}");
        let mut known = self.connection.prepare("SELECT 1 FROM calls WHERE call = ?").map_err(wrong)?;
        let mut lacking = BTreeSet::new();
        for call in calls {
            if !known.exists([signed(call)]).map_err(wrong)? {
                lacking.insert(call);
            }
        }
        Ok(lacking)
    }

    /// Every record, by call.
    pub fn calls(&self) -> Result<Vec<StoredCall>, String> {
        self.select("SELECT * FROM calls ORDER BY call", params![])
    }

    /// The records of the calls from one number, oldest first.
    pub fn calls_from(&self, number: &str) -> Result<Vec<StoredCall>, String> {
        let fingerprint = self.columns.fingerprint(number);
        self.select("SELECT * FROM calls WHERE caller_fingerprint = ? ORDER BY arrived_at, call", params![fingerprint])
    }

    fn select(&self, sql: &str, what: &[&dyn rusqlite::ToSql]) -> Result<Vec<StoredCall>, String> {
        let wrong = |error: rusqlite::Error| format!("{FILE}: {error}");
        let mut statement = self.connection.prepare(sql).map_err(wrong)?;
        let mut rows = statement.query(what).map_err(wrong)?;
        let mut calls = Vec::new();
        while let Some(row) = rows.next().map_err(wrong)? {
            let (mut call, [from, to]) = read_call(row).map_err(wrong)?;
            let unseal = |column: &str, sealed: &[u8]| {
                self.columns
                    .unseal(&place(call.call, column), sealed)
                    .map_err(|error| format!("{FILE}: call {}: {column}: {error}", call.call))
            };
            let (from, to) = (unseal("caller", &from)?, unseal("called", &to)?);
            (call.from, call.to) = (Phi(from), Phi(to));
            call.visits = self.visits(call.call).map_err(wrong)?;
            call.segments = self.segments(call.call).map_err(wrong)?;
            call.sounds = self.sounds(call.call).map_err(wrong)?;
            calls.push(call);
        }
        Ok(calls)
    }

    fn visits(&self, call: u64) -> rusqlite::Result<Vec<StoredVisit>> {
        let mut visits = self.connection.prepare_cached("SELECT * FROM visits WHERE call = ? ORDER BY visit")?;
        let mut offers = self.connection.prepare_cached("SELECT * FROM offers WHERE call = ? AND visit = ? ORDER BY offer")?;
        visits
            .query_map([signed(call)], |row| {
                let number: i64 = row.get("visit")?;
                let offers = offers.query_map([signed(call), number], read_offer)?.collect::<rusqlite::Result<_>>()?;
                Ok(StoredVisit { offers, ..read_visit(row)? })
            })?
            .collect()
    }

    fn segments(&self, call: u64) -> rusqlite::Result<Vec<StoredSegment>> {
        let mut segments = self.connection.prepare_cached("SELECT * FROM segments WHERE call = ? ORDER BY segment")?;
        segments.query_map([signed(call)], read_segment)?.collect()
    }

    fn sounds(&self, call: u64) -> rusqlite::Result<Sounds> {
        let mut legs = self.connection.prepare_cached("SELECT * FROM sounds WHERE call = ? ORDER BY leg")?;
        let mut recordings = self.connection.prepare_cached("SELECT file FROM recordings WHERE call = ? ORDER BY part")?;
        let legs = legs.query_map([signed(call)], read_sound)?.collect::<rusqlite::Result<_>>()?;
        let recordings = recordings.query_map([signed(call)], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Sounds { legs, recordings })
    }
}

const KEYS: [&str; 2] = ["columns", "fingerprints"];

fn wrapped_keys(connection: &Connection) -> rusqlite::Result<Option<[Vec<u8>; 2]>> {
    let key = |name: &str| connection.query_row("SELECT wrapped FROM keys WHERE name = ?", [name], |row| row.get(0)).optional();
    Ok(key(KEYS[0])?.zip(key(KEYS[1])?).map(|(columns, fingerprints)| [columns, fingerprints]))
}

fn open_columns(path: &Path, key: &MasterKey, wrapped: [Vec<u8>; 2]) -> Result<Columns, String> {
    Columns::open(key, [&wrapped[0], &wrapped[1]]).map_err(|error| format!("{}: {error}", path.display()))
}

fn place(call: u64, column: &str) -> String {
    format!("calls.{call}.{column}")
}

fn insert_call(transaction: &Transaction, columns: &Columns, call: &StoredCall) -> rusqlite::Result<bool> {
    let mut statement = transaction.prepare_cached("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let inserted = statement.execute(params![
        signed(call.call),
        columns.seal(&place(call.call, "caller"), &call.from.0),
        columns.fingerprint(&call.from.0),
        columns.seal(&place(call.call, "called"), &call.to.0),
        columns.fingerprint(&call.to.0),
        call.did,
        call.language,
        signed(call.arrived_at),
        call.answered_at.map(signed),
        signed(call.ended_at),
        call.disposition,
        call.detail,
        call.wrap_up_code,
    ])?;
    Ok(inserted == 1)
}

fn insert_visits(transaction: &Transaction, call: &StoredCall) -> rusqlite::Result<()> {
    let mut visits = transaction.prepare_cached("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut offers = transaction.prepare_cached("INSERT INTO offers VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for (number, visit) in (1i64..).zip(&call.visits) {
        visits.execute(params![
            signed(call.call),
            number,
            visit.queue,
            visit.language,
            signed(visit.entered_at),
            signed(visit.left_at),
            visit.stage,
            visit.outcome,
            visit.detail,
        ])?;
        for (order, offer) in (1i64..).zip(&visit.offers) {
            let (rung, ended) = (signed(offer.rung_at), signed(offer.ended_at));
            offers.execute(params![signed(call.call), number, order, signed(offer.agent), rung, ended, offer.outcome])?;
        }
    }
    Ok(())
}

fn insert_segments(transaction: &Transaction, call: &StoredCall) -> rusqlite::Result<()> {
    let mut segments = transaction.prepare_cached("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for (number, segment) in (1i64..).zip(&call.segments) {
        segments.execute(params![
            signed(call.call),
            number,
            signed(segment.agent),
            segment.queue,
            signed(segment.from),
            segment.to.map(signed),
            signed(segment.held),
            segment.wrap_up.map(signed),
            segment.transferred,
        ])?;
    }
    Ok(())
}

fn insert_sounds(transaction: &Transaction, call: &StoredCall) -> rusqlite::Result<()> {
    let mut legs = transaction.prepare_cached("INSERT INTO sounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for (number, leg) in (1i64..).zip(&call.sounds.legs) {
        legs.execute(params![
            signed(call.call),
            number,
            leg.agent.map(signed),
            signed(leg.received),
            signed(leg.lost),
            signed(leg.jitter),
            leg.score,
            signed(leg.sent),
            leg.lost_there.map(signed),
            leg.jitter_there.map(signed),
            leg.score_there,
            leg.round_trip.map(signed),
        ])?;
    }
    let mut recordings = transaction.prepare_cached("INSERT INTO recordings VALUES (?, ?, ?)")?;
    for (part, file) in (1i64..).zip(&call.sounds.recordings) {
        recordings.execute(params![signed(call.call), part, file])?;
    }
    Ok(())
}

/// The call without its children, and its sealed numbers.
fn read_call(row: &Row) -> rusqlite::Result<(StoredCall, [Vec<u8>; 2])> {
    let call = StoredCall {
        call: unsigned(row.get("call")?),
        from: Phi::default(),
        to: Phi::default(),
        did: row.get("did")?,
        language: row.get("language")?,
        arrived_at: unsigned(row.get("arrived_at")?),
        answered_at: row.get::<_, Option<i64>>("answered_at")?.map(unsigned),
        ended_at: unsigned(row.get("ended_at")?),
        disposition: row.get("disposition")?,
        detail: row.get("detail")?,
        wrap_up_code: row.get("wrap_up_code")?,
        visits: Vec::new(),
        segments: Vec::new(),
        sounds: Sounds::default(),
    };
    Ok((call, [row.get("caller")?, row.get("called")?]))
}

fn read_visit(row: &Row) -> rusqlite::Result<StoredVisit> {
    Ok(StoredVisit {
        queue: row.get("queue")?,
        language: row.get("language")?,
        entered_at: unsigned(row.get("entered_at")?),
        left_at: unsigned(row.get("left_at")?),
        stage: row.get("stage")?,
        outcome: row.get("outcome")?,
        detail: row.get("detail")?,
        offers: Vec::new(),
    })
}

fn read_offer(row: &Row) -> rusqlite::Result<StoredOffer> {
    Ok(StoredOffer {
        agent: unsigned(row.get("agent")?),
        rung_at: unsigned(row.get("rung_at")?),
        ended_at: unsigned(row.get("ended_at")?),
        outcome: row.get("outcome")?,
    })
}

fn read_segment(row: &Row) -> rusqlite::Result<StoredSegment> {
    Ok(StoredSegment {
        agent: unsigned(row.get("agent")?),
        queue: row.get("queue")?,
        from: unsigned(row.get("started_at")?),
        to: row.get::<_, Option<i64>>("ended_at")?.map(unsigned),
        held: unsigned(row.get("held")?),
        wrap_up: row.get::<_, Option<i64>>("wrap_up")?.map(unsigned),
        transferred: row.get("transferred")?,
    })
}

fn read_sound(row: &Row) -> rusqlite::Result<StoredSound> {
    let optional = |column: &str| row.get::<_, Option<i64>>(column).map(|value| value.map(unsigned));
    Ok(StoredSound {
        agent: optional("agent")?,
        received: unsigned(row.get("received")?),
        lost: unsigned(row.get("lost")?),
        jitter: unsigned(row.get("jitter")?),
        score: row.get("mos")?,
        sent: unsigned(row.get("sent")?),
        lost_there: optional("lost_there")?,
        jitter_there: optional("jitter_there")?,
        score_there: row.get("mos_there")?,
        round_trip: optional("round_trip")?,
    })
}

/// SQLite's integers are signed; every bit survives the way there and back.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}
