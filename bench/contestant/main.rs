//! bowline as a contestant of the benchmark harness: the facade in its default configuration, used as its
//! README shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bench_common::{Contestant, CountingAlloc, Result, Target};
use bowline::Client;

#[global_allocator]
static ALLOC: CountingAlloc = CountingAlloc;

struct Bowline {
    client: Client,
    seen: Arc<AtomicU64>,
}

impl Contestant for Bowline {
    const NAME: &'static str = "bowline";

    async fn connect(target: &Target) -> Result<Self> {
        let client = match target {
            Target::Stdio(command) => {
                let (program, args) = command.split_first().ok_or("no command")?;
                Client::builder().connect(bowline::stdio(program).args(args)).await?
            }
            Target::Http(url) => bowline::connect(url).await?,
        };
        Ok(Self { client, seen: Arc::default() })
    }

    async fn echo(&self, text: &str) -> Result<usize> {
        let result = self.client.call("echo").arg("text", text).await?;
        Ok(result.content.first().and_then(|c| c.as_text()).map_or(0, str::len))
    }

    async fn blob(&self, n: usize) -> Result<usize> {
        let result = self.client.call("blob").arg("n", n).await?;
        Ok(result.content.first().and_then(|c| c.as_text()).map_or(0, str::len))
    }

    async fn structured(&self, depth: usize, breadth: usize) -> Result<usize> {
        let result = self.client.call("structured").arg("depth", depth).arg("breadth", breadth).await?;
        let structured = result.structured_content.map(|raw| raw.to_value());
        Ok(structured.as_ref().and_then(|v| v.as_object()).map_or(0, |m| m.len()))
    }

    async fn list_tools(&self) -> Result<usize> {
        Ok(self.client.tools().all().await?.len())
    }

    async fn progress(&self, k: usize) -> Result<()> {
        let seen = Arc::clone(&self.seen);
        self.client
            .call("progress")
            .arg("k", k)
            .on_progress(move |_| {
                seen.fetch_add(1, Relaxed);
            })
            .await?;
        Ok(())
    }

    fn progress_seen(&self) -> u64 {
        self.seen.load(Relaxed)
    }

    async fn close(self) -> Result<()> {
        self.client.close().await?;
        Ok(())
    }
}

fn main() {
    bench_common::run::<Bowline>()
}
