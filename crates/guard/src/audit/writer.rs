//! The task that writes records, one batch after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;
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

impl Item {
    const fn is_record(&self) -> bool {
        matches!(self, Self::Record(..))
    }
}

/// The way to the task, which begins with the first record and ends with this, or with its runtime: then the next record
/// begins another.
#[derive(Debug)]
pub(super) struct Writer {
    sink: Arc<dyn AuditSink>,
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
    /// How many records were sent and are not written, nor failed.
    open: Arc<AtomicUsize>,
}

impl Running {
    /// That the runtime ended before all that was sent was written, said once.
    fn lost(&self) -> Option<AuditError> {
        match self.open.swap(0, Ordering::Relaxed) {
            0 => None,
            1 => Some(AuditError::new("1 record is lost, with the runtime that was to write it")),
            lost => Some(AuditError::new(format!("{lost} records are lost, with the runtime that was to write them"))),
        }
    }
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
        Self { sink: Arc::from(sink), running: Mutex::new(None), listener: Listener::default() }
    }

    /// Calls `f` where records are lost that nobody waits for. The first listener stays.
    pub(super) fn listen(&self, f: impl Fn(&AuditError) + Send + Sync + 'static) {
        let _ = self.listener.set(OnLost(Box::new(f)));
    }

    /// The way to the task, which is begun if need be, and begun anew where its runtime has ended.
    fn running(&self) -> Result<Running, AuditError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = match &*running {
            Some(running) if !running.send.is_closed() => return Ok(running.clone()),
            ended => ended.clone(),
        };
        let runtime = Handle::try_current().map_err(|_| self::ended())?;
        let (send, receive) = mpsc::channel(WAITING);
        let open = Arc::default();
        // It ends when the last sender is gone, once all that was sent is written.
        let task = write(Arc::clone(&self.sink), receive, Arc::clone(&open), Arc::clone(&self.listener));
        drop(runtime.spawn(task));
        let begun = Running { send, open };
        *running = Some(begun.clone());
        drop(running);
        if let Some(lost) = ended.and_then(|ended| ended.lost()) {
            tracing::error!(error = %lost, "records of the audit are lost");
            if let Some(OnLost(tell)) = self.listener.get() {
                tell(&lost);
            }
        }
        Ok(begun)
    }

    /// Sends a record, to another task where the one that was meant ends just now.
    async fn send(&self, item: Item) -> Result<(), AuditError> {
        const TRIES: usize = 2;
        for _ in 0..TRIES {
            let Running { send, open } = self.running()?;
            let Ok(permit) = send.reserve().await else { continue };
            open.fetch_add(usize::from(item.is_record()), Ordering::Relaxed);
            permit.send(item);
            return Ok(());
        }
        // Two runtimes ended in the meantime.
        Err(ended())
    }

    pub(super) async fn put(&self, record: Record) -> Result<(), AuditError> {
        self.send(Item::Record(Box::new(record), None)).await
    }

    pub(super) fn put_at_once(&self, record: Record) -> Result<(), AuditError> {
        let Running { send, open } = self.running()?;
        let permit = send.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => AuditError::new("the audit is behind by 1,024 records"),
            mpsc::error::TrySendError::Closed(()) => ended(),
        })?;
        open.fetch_add(1, Ordering::Relaxed);
        permit.send(Item::Record(Box::new(record), None));
        Ok(())
    }

    pub(super) async fn put_and_wait(&self, record: Record) -> Result<(), AuditError> {
        let (tell, told) = oneshot::channel();
        self.send(Item::Record(Box::new(record), Some(tell))).await?;
        told.await.unwrap_or_else(|_| Err(ended()))
    }

    pub(super) async fn flush(&self) -> Result<(), AuditError> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(running) = running else { return Ok(()) };
        let (tell, told) = oneshot::channel();
        if running.send.send(Item::Flush(tell)).await.is_ok()
            && let Ok(told) = told.await
        {
            return told;
        }
        // Its runtime has ended, after all was written or before.
        running.lost().map_or(Ok(()), Err)
    }
}

async fn write(
    sink: Arc<dyn AuditSink>,
    mut receive: mpsc::Receiver<Item>,
    open: Arc<AtomicUsize>,
    listener: Listener,
) {
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
        open.fetch_sub(count, Ordering::Relaxed);
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
