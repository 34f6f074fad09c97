//! The task that writes records, one batch after the other.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use super::{AuditError, AuditSink};

/// How many records may wait to be written.
const WAITING: usize = 1024;
/// How many are written at once.
const BATCH: usize = 64;

/// A record that is to be written, or the wish to know when all before are.
enum Item {
    Record(Box<Record>, Option<oneshot::Sender<Result<(), AuditError>>>),
    Flush(oneshot::Sender<Result<(), AuditError>>),
}

/// The way to the task, which begins with the first record and ends with this.
#[derive(Debug)]
pub(super) struct Writer {
    sink: Mutex<Option<Box<dyn AuditSink>>>,
    running: Mutex<Option<Running>>,
    listener: Listener,
}

/// Who hears of records that are lost, and that nobody waits for.
type Listener = Arc<OnceLock<OnLost>>;

struct OnLost(Box<dyn Fn(&AuditError) + Send + Sync>);

impl std::fmt::Debug for OnLost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnLost")
    }
}

#[derive(Debug, Clone)]
struct Running {
    send: mpsc::Sender<Item>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Record(..) => "Record",
            Self::Flush(_) => "Flush",
        })
    }
}

fn ended() -> AuditError {
    AuditError::new("the audit has ended, as the runtime that wrote it did")
}

impl Writer {
    pub(super) fn new(sink: Box<dyn AuditSink>) -> Self {
        Self { sink: Mutex::new(Some(sink)), running: Mutex::new(None), listener: Listener::default() }
    }

    /// Calls `f` where records are lost that nobody waits for. The first listener stays.
    pub(super) fn listen(&self, f: impl Fn(&AuditError) + Send + Sync + 'static) {
        let _ = self.listener.set(OnLost(Box::new(f)));
    }

    /// The way to the task, which is begun if need be.
    fn running(&self) -> mpsc::Sender<Item> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*running {
            return running.send.clone();
        }
        let (send, receive) = mpsc::channel(WAITING);
        // Taken once: there is no second way here without the first having been kept.
        if let Some(sink) = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It ends when the last sender is gone, once all that was sent is written.
            drop(tokio::spawn(write(sink, receive, Arc::clone(&self.listener))));
        }
        *running = Some(Running { send: send.clone() });
        send
    }

    pub(super) async fn put(&self, record: Record) -> Result<(), AuditError> {
        self.running().send(Item::Record(Box::new(record), None)).await.map_err(|_| ended())
    }

    pub(super) fn put_at_once(&self, record: Record) -> Result<(), AuditError> {
        self.running().try_send(Item::Record(Box::new(record), None)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AuditError::new("the audit is behind by 1,024 records"),
            mpsc::error::TrySendError::Closed(_) => ended(),
        })
    }

    pub(super) async fn put_and_wait(&self, record: Record) -> Result<(), AuditError> {
        let (tell, told) = oneshot::channel();
        self.running().send(Item::Record(Box::new(record), Some(tell))).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended()))
    }

    pub(super) async fn flush(&self) -> Result<(), AuditError> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Running { send }) = running else { return Ok(()) };
        let (tell, told) = oneshot::channel();
        send.send(Item::Flush(tell)).await.map_err(|_| ended())?;
        told.await.unwrap_or_else(|_| Err(ended()))
    }
}

async fn write(sink: Box<dyn AuditSink>, mut receive: mpsc::Receiver<Item>, listener: Listener) {
    let mut batch = Vec::with_capacity(BATCH);
    // The first failure that nobody was told of.
    let mut untold = Ok(());
    while receive.recv_many(&mut batch, BATCH).await > 0 {
        let (mut records, mut waiting, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
        for item in batch.drain(..) {
            match item {
                Item::Record(record, tell) => {
                    records.push(*record);
                    waiting.extend(tell);
                }
                // What comes behind it in the batch is written as well, which does no harm.
                Item::Flush(tell) => flushes.push(tell),
            }
        }
        let count = records.len();
        let outcome = if records.is_empty() { Ok(()) } else { sink.write(records).await };
        if let Err(error) = &outcome {
            tracing::error!(%error, "records of the audit are lost");
            if waiting.len() < count {
                if untold.is_ok() {
                    untold = outcome.clone();
                }
                if let Some(OnLost(tell)) = listener.get() {
                    tell(error);
                }
            }
        }
        for tell in waiting {
            // Whoever does not wait any more need not be told.
            let _ = tell.send(outcome.clone());
        }
        for tell in flushes {
            let _ = tell.send(std::mem::replace(&mut untold, Ok(())));
        }
    }
}
