//! The database: SQLite in memory, with the sales of a year.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

/// The rows of an answer. Whoever wants more asks for sums: neither a model nor a terminal has use for them.
const MOST_ROWS: usize = 100;
/// The characters of one cell.
const MOST_CHARACTERS: usize = 200;
/// How many of SQLite's own steps lie between two looks at whether a query is still wanted.
const STEPS: i32 = 1_000_000;
/// Where a query ends that nobody calls off, in millions of steps: some minutes.
const MOST_MILLIONS: u64 = 20_000;

/// Three sales a day for 364 days. Nothing is drawn, so each run has the same.
const SALES: &str = "
    CREATE TABLE sales (day TEXT NOT NULL, product TEXT NOT NULL, euros INTEGER NOT NULL);
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1091)
    INSERT INTO sales
    SELECT date('2025-01-01', '+' || (i / 3) || ' days'),
           CASE i % 3 WHEN 0 THEN 'rope' WHEN 1 THEN 'sail' ELSE 'paint' END,
           20 + (i * 7919) % 181 + CASE WHEN i / 3 BETWEEN 90 AND 180 THEN 60 ELSE 0 END
    FROM n;
    PRAGMA hard_heap_limit = 67108864;";

/// What a query gave.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
    /// Whether there are more rows than these.
    pub(crate) has_more: bool,
}

/// How queries ended so far.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) done: u64,
    pub(crate) called_off: u64,
    pub(crate) failed: u64,
}

#[derive(Clone)]
pub(crate) struct Database(Arc<Inner>);

struct Inner {
    /// One query at a time.
    connection: Mutex<Connection>,
    done: AtomicU64,
    called_off: AtomicU64,
    failed: AtomicU64,
}

impl Database {
    pub(crate) fn open() -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        connection.execute_batch(SALES)?;
        // From here on. A pragma that makes a database read-only can be taken back by whoever writes the queries, and
        // ATTACH and VACUUM write files all the same.
        connection.authorizer(Some(only_reads))?;
        let connection = Mutex::new(connection);
        let (done, called_off, failed) = Default::default();
        Ok(Self(Arc::new(Inner { connection, done, called_off, failed })))
    }

    /// Runs one query, and tells each million of steps. It is called off once nobody is there to be told.
    ///
    /// This waits, and is for a thread that may.
    pub(crate) fn query(&self, sql: &str, told: Sender<u64>) -> Result<Table, String> {
        let mut connection = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut millions = 0;
        let progress = move || {
            millions += 1;
            millions > MOST_MILLIONS || told.blocking_send(millions).is_err()
        };
        let result = connection.progress_handler(STEPS, Some(progress)).and_then(|()| read(&connection, sql));
        // Without its handler the sender is gone as well, which tells the other side that it is over.
        let removed = connection.progress_handler(0, None::<fn() -> bool>);
        let (counter, result) = match result.and_then(|table| removed.map(|()| table)) {
            Ok(table) => (&self.0.done, Ok(table)),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                (&self.0.called_off, Err("the query was called off, or took too long".to_owned()))
            }
            Err(error) => (&self.0.failed, Err(error.to_string())),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// How queries ended, once none is running.
    pub(crate) fn ended(&self) -> Ended {
        let _turn = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ended { done: count(&self.0.done), called_off: count(&self.0.called_off), failed: count(&self.0.failed) }
    }
}

fn only_reads(asked: AuthContext<'_>) -> Authorization {
    match asked.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn read(connection: &Connection, sql: &str) -> rusqlite::Result<Table> {
    let mut statement = connection.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut table = Table { columns, rows: Vec::new(), has_more: false };
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if table.rows.len() == MOST_ROWS {
            table.has_more = true;
            break;
        }
        let cells = (0..table.columns.len()).map(|at| row.get_ref(at).map(cell));
        table.rows.push(cells.collect::<Result<_, _>>()?);
    }
    Ok(table)
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => String::from_utf8_lossy(text).chars().take(MOST_CHARACTERS).collect::<String>().into(),
        ValueRef::Blob(bytes) => format!("({} bytes)", bytes.len()).into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::mpsc::channel;

    use super::{Database, Ended};

    #[test]
    fn no_query_changes_anything_or_leaves_the_database() {
        let database = Database::open().expect("memory suffices");
        let folder = tempfile::tempdir().expect("there is room");
        let file = folder.path().join("copy.db").display().to_string();
        let (tell, _told) = channel(1);
        for sql in [
            "DELETE FROM sales".to_owned(),
            "DROP TABLE sales".to_owned(),
            "PRAGMA query_only = OFF".to_owned(),
            format!("ATTACH DATABASE '{file}' AS copy"),
            format!("VACUUM INTO '{file}'"),
        ] {
            let why = database.query(&sql, tell.clone()).expect_err(&sql);
            assert!(["not authorized", "authorization denied"].contains(&&*why), "{sql}: {why}");
        }
        assert_eq!(folder.path().read_dir().expect("it is there").count(), 0, "a file was written");
        let count = database.query("SELECT count(*) FROM sales", tell.clone()).expect("it reads");
        assert_eq!(count.rows, [[json!(1092)]]);
        let big = database.query("SELECT hex(zeroblob(100000000))", tell);
        assert!(big.is_err(), "memory is bounded");
        assert_eq!(database.ended(), Ended { done: 1, called_off: 0, failed: 6 });
    }

    #[test]
    fn a_query_that_nobody_waits_for_is_called_off() {
        let database = Database::open().expect("memory suffices");
        let (tell, told) = channel(1);
        drop(told);
        let endless = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        assert!(database.query(endless, tell).is_err());
        assert_eq!(database.ended(), Ended { done: 0, called_off: 1, failed: 0 });
    }
}
